# packages: ocaml
# seconds: 960
mkdir /tmp/o; cd /tmp/o; cat > a.ml <<'S'
type t = Leaf | Node of t * int * t
let rec add x = function Leaf -> Node (Leaf, x, Leaf) | Node (l, v, r) as n -> if x < v then Node (add x l, v, r) else if x > v then Node (l, v, add x r) else n
let rec walk = function Leaf -> [] | Node (l, v, r) -> walk l @ (v :: walk r)
let () = print_endline (String.concat "," (List.map string_of_int (walk (List.fold_right add [5; 2; 8; 1] Leaf))))
let () = Printf.printf "%d %.3f %s\n" (List.fold_left ( + ) 0 (List.init 100 Fun.id)) (sqrt 2.) (try string_of_int (List.assoc 3 []) with Not_found -> "none")
let () = let d = Domain.spawn (fun () -> 6 * 7) in Printf.printf "domain %d %s\n" (Domain.join d) (String.uppercase_ascii "abc"); print_int (Sys.command "exit 3"); print_newline ()
let () = Gc.full_major (); let h = Hashtbl.create 9 in for i = 1 to 10000 do Hashtbl.replace h i (i * i) done; Printf.printf "%d\n" (Hashtbl.find h 9999)
S
ocamlc -o ab a.ml && ./ab; ocamlfind ocamlopt -version > /dev/null 2>&1; ocamlopt -o an a.ml && ./an | tail -n 1; echo 'let x = 6 * 7;; print_int x;;' > s.ml; ocaml s.ml; echo
