# packages: php-cli
# seconds: 900
cat > /tmp/p.php <<'S'
<?php
echo json_encode(["a" => [1, null, 2.5], "b" => "ü"], JSON_UNESCAPED_UNICODE), "\n", PHP_MAJOR_VERSION, " ", intdiv(7, 2), " ", 7 <=> 3, "\n";
$x = [[3, "c"], [1, "a"]]; usort($x, fn($a, $b) => $a[0] <=> $b[0]); echo $x[0][1], "\n"; print_r(array_map(fn($v) => $v ** 2, [1, 2, 3])); echo strrev("abc"), ucwords("two words"), "\n";
function gen() { for ($i = 0; $i < 3; $i++) yield $i => $i * $i; } foreach (gen() as $k => $v) echo "$k=$v "; echo "\n";
echo preg_replace_callback('/\d+/', fn($m) => $m[0] * 2, "a1b22"), " ", md5("x"), " ", substr(hash("sha256", "x"), 0, 8), " ", number_format(1234567.891, 2), "\n";
echo exec("echo from shell", $o, $c), " $c\n"; $p = proc_open("tr a-z A-Z", [["pipe", "r"], ["pipe", "w"]], $pipes); fwrite($pipes[0], "proc"); fclose($pipes[0]); echo stream_get_contents($pipes[1]), proc_close($p), "\n";
file_put_contents("/tmp/f", "line1\nline2\n"); foreach (file("/tmp/f") as $l) echo trim($l), ","; echo filesize("/tmp/f"), "\n";
$s = stream_socket_server("tcp://127.0.0.1:0"); $c = stream_socket_client("tcp://" . stream_socket_get_name($s, false)); $a = stream_socket_accept($s); fwrite($c, "tcp\n"); echo fgets($a);
try { intdiv(1, 0); } catch (DivisionByZeroError $e) { echo get_class($e), ": ", $e->getMessage(), "\n"; } enum Suit: string { case H = "h"; } echo Suit::from("h")->name, "\n";
class P { public function __construct(public readonly int $x) {} } try { $q = new P(5); $q->x = 6; } catch (Error $e) { echo $e->getMessage(), "\n"; } echo match(true) { $q->x > 3 => "big", default => "small" }, "\n";
date_default_timezone_set("UTC"); echo date("Y-m-d", 86400), " ", strlen("häß"), "\n";
S
php /tmp/p.php; php -r 'echo array_sum(range(1, 1000)), "\n";'; (cd /tmp; echo '<?php echo "served ", $_GET["n"] * 2;' > i.php; php -S 127.0.0.1:8001 -t /tmp > /dev/null 2>&1 & p=$!; until (exec 3<> /dev/tcp/127.0.0.1/8001) 2> /dev/null; do sleep 0.2; done; exec 3<> /dev/tcp/127.0.0.1/8001; printf 'GET /i.php?n=21 HTTP/1.0\r\n\r\n' >&3; tail -n 1 <&3; echo; kill $p)
