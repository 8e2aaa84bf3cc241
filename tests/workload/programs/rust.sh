# packages: rustc gcc libc6-dev
# seconds: 2400
cd /tmp; cat > a.rs <<'S'
use std::{collections::BTreeMap, io::{Read, Write}, net::{TcpListener, TcpStream}, process::Command, sync::{mpsc, Arc, Mutex}, thread, time::Duration};
#[derive(Debug, Clone, PartialEq)] enum E { A(i32), B { s: String } }
fn main() {
    let mut m = BTreeMap::new(); for w in "b a b".split(' ') { *m.entry(w).or_insert(0) += 1; } println!("{m:?} {:?}", [E::A(1), E::B { s: "ü".into() }]);
    let n = Arc::new(Mutex::new(0)); let t: Vec<_> = (0..4).map(|_| { let n = n.clone(); thread::spawn(move || for _ in 0..1000 { *n.lock().unwrap() += 1 }) }).collect(); for x in t { x.join().unwrap() } println!("{}", n.lock().unwrap());
    let (tx, rx) = mpsc::channel(); thread::spawn(move || for i in 0..3 { tx.send(i * i).unwrap(); thread::sleep(Duration::from_millis(5)) }); println!("{:?}", rx.iter().collect::<Vec<_>>());
    let o = Command::new("sh").args(["-c", "echo sub; exit 3"]).output().unwrap(); println!("{} {:?}", String::from_utf8_lossy(&o.stdout).trim(), o.status.code());
    let l = TcpListener::bind("127.0.0.1:0").unwrap(); let a = l.local_addr().unwrap(); let h = thread::spawn(move || { let (mut c, _) = l.accept().unwrap(); let mut b = [0; 3]; c.read_exact(&mut b).unwrap(); c.write_all(&b.to_ascii_uppercase()).unwrap() });
    let mut c = TcpStream::connect(a).unwrap(); c.write_all(b"tcp").unwrap(); let mut s = String::new(); c.read_to_string(&mut s).unwrap(); h.join().unwrap(); println!("{s}");
    println!("{:?}", std::panic::catch_unwind(|| { let v: Vec<i32> = vec![]; v[std::env::args().count()] }).is_err()); println!("{}", (1..=20u64).product::<u64>()); std::process::exit(8)
}
S
rustc --edition 2021 -O a.rs 2>&1 | head; ./a 2> /dev/null; echo "code $?"
