# packages: openjdk-21-jdk-headless
# seconds: 400
mkdir /tmp/j; cd /tmp/j; cat > A.java <<'S'
import java.net.*; import java.nio.file.*; import java.util.*; import java.util.concurrent.*; import java.util.stream.*; import java.io.*;
public class A {
    record P(int x, String s) {}
    sealed interface Sh permits C, Q {} record C(double r) implements Sh {} record Q(double a) implements Sh {}
    static double area(Sh s) { return switch (s) { case C c -> Math.PI * c.r() * c.r(); case Q q -> q.a() * q.a(); }; }
    public static void main(String[] args) throws Exception {
        System.out.println(new P(1, "ü") + " " + String.format(Locale.ROOT, "%.3f %.1f", area(new C(2)), area(new Q(3))));
        Map<Integer, Integer> g = IntStream.range(0, 1000).boxed().collect(Collectors.groupingBy(i -> i % 3, Collectors.summingInt(i -> i))); System.out.println(g);
        var ex = Executors.newFixedThreadPool(3); var fs = new ArrayList<Future<Integer>>(); for (int i = 0; i < 6; i++) { int n = i; fs.add(ex.submit(() -> n * n)); } int sum = 0; for (var f : fs) sum += f.get(); ex.shutdown(); System.out.println(sum);
        try { Object o = null; o.toString(); } catch (NullPointerException e) { System.out.println("null caught"); } try { rec(0); } catch (StackOverflowError e) { System.out.println("deep caught"); }
        Path p = Path.of("/tmp/j/f"); Files.writeString(p, "a\nb\n"); System.out.println(Files.readAllLines(p) + " " + Files.size(p));
        var pb = new ProcessBuilder("sh", "-c", "echo sub; exit 4").start(); System.out.println(new String(pb.getInputStream().readAllBytes()).trim() + " " + pb.waitFor());
        var ss = new ServerSocket(0, 1, InetAddress.getLoopbackAddress()); var t = new Thread(() -> { try (var c = ss.accept()) { c.getOutputStream().write(new BufferedReader(new InputStreamReader(c.getInputStream())).readLine().toUpperCase().getBytes()); } catch (IOException e) {} }); t.start();
        try (var c = new Socket(ss.getInetAddress(), ss.getLocalPort())) { c.getOutputStream().write("tcp\n".getBytes()); System.out.println(new String(c.getInputStream().readAllBytes())); } t.join();
        try (var v = Executors.newVirtualThreadPerTaskExecutor()) { System.out.println(v.submit(() -> Thread.currentThread().isVirtual()).get()); }
        System.gc(); long h = 7; for (int i = 0; i < 3000000; i++) h = h * 31 + (i ^ (h >>> 7)); System.out.println(h); System.exit(6);
    }
    static int rec(int n) { return rec(n + 1) + 1; }
}
S
javac A.java && java -Xmx256m A; echo "code $?"; ls *.class | wc -l; java -version 2>&1 | head -n 1 | cut -d. -f1; jar cf a.jar *.class && java -cp a.jar A | head -n 1
