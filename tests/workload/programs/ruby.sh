# packages: ruby
# seconds: 900
cat > /tmp/r.rb <<'S'
require "json"; require "set"; require "socket"; require "digest"; require "open3"; require "timeout"; require "tempfile"
puts JSON.generate({a: [1, nil, 2.5], "b" => "ü"}), [3, 1, 2].sort.map { |x| x ** 2 }.inspect, "häß".length, (1..20).reduce(:*)
puts [1, 2, 3, 4].each_slice(2).to_a.inspect, "a-b_c".tr("-_", "  ").split.map(&:capitalize).join, 2 ** 100, Rational(3, 6), Set[1, 2, 2].size
pid = fork { exit 7 }; Process.wait pid; puts $?.exitstatus; puts `echo back`, $?.success?; r, w = IO.pipe; fork { r.close; w.puts "piped"; exit! }; w.close; puts r.read; Process.wait
out, st = Open3.capture2("tr a-z A-Z", stdin_data: "open3"); puts out, st.exitstatus
q = Queue.new; ts = 3.times.map { |i| Thread.new { q << i * i } }; ts.each(&:join); puts 3.times.map { q.pop }.sort.inspect
s = TCPServer.new("127.0.0.1", 0); t = Thread.new { c = s.accept; c.puts c.gets.upcase; c.close }; c = TCPSocket.new("127.0.0.1", s.addr[1]); c.puts "tcp"; puts c.read; t.join
begin; Timeout.timeout(0.2) { sleep 5 }; rescue Timeout::Error => e; puts e.class; end
trap("USR1") { puts "trapped" }; Process.kill("USR1", Process.pid); sleep 0.1
f = Fiber.new { 3.times { |i| Fiber.yield i }; :end }; puts 4.times.map { f.resume }.inspect; puts Digest::SHA256.hexdigest("x")[0, 16], format("%08.3f|%-5s|%x", 3.14159, "ab", 255)
Tempfile.create { |x| x.write "tmp"; x.rewind; puts x.read }; puts ObjectSpace.count_objects.key?(:TOTAL), GC.start.inspect, (begin; Integer("x"); rescue => e; e.message; end)
case {n: {m: [1, 2]}}
in {n: {m: [a, *]}} then puts "matched #{a}" end
S
ruby /tmp/r.rb; ruby -ne 'puts $_.upcase if /b/' <<< $'abc\nxyz'; ruby -v | cut -d. -f1-2
