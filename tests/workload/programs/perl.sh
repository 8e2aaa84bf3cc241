# packages: perl
# quick
cat > /tmp/p.pl <<'S'
use strict; use warnings; use POSIX qw(floor strftime WNOHANG); use List::Util qw(sum first shuffle); use Data::Dumper; use Time::HiRes ();
$Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 1; $| = 1;
my %h = map { $_ => length } qw(alpha beta gamma); print Dumper(\%h);
print join(",", sort { $h{$a} <=> $h{$b} or $a cmp $b } keys %h), " ", sum(1 .. 100), "\n";
(my $s = "The cat sat on the mat") =~ s/(\w+at)\b/<$1>/g; print "$s\n"; print join("|", "a1b22" =~ /(\d+)/g), "\n";
my $pid = fork // die; if (!$pid) { print "child\n"; exit 5 } waitpid $pid, 0; print "status ", $? >> 8, "\n";
open my $p, "-|", "echo piped; exit 2" or die; print <$p>; close $p; print "pipe ", $? >> 8, "\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; }; print "eval: $@";
pipe my $r, my $w; if (!fork) { close $r; print $w "through a pipe\n"; exit } close $w; print <$r>; wait;
use Socket; socketpair my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC; syswrite $a, "sock"; sysread $b, my $buf, 9; print "$buf\n";
open my $f, "+>", "/tmp/p.txt"; print $f "x$_\n" for 1 .. 5; seek $f, 0, 0; my @l = <$f>; print scalar(@l), " $l[-1]"; flock $f, 2; close $f;
printf "%s %.3f %s\n", strftime("%F", gmtime 0), atan2(1, 1) * 4, sprintf("%vd", "1.22.333"); use utf8; print length("häß€"), "\n";
package P { sub new { bless {v => $_[1]} } sub v { $_[0]{v} } } print P->new(9)->v, " ", ref P->new(1), "\n";
use Digest::SHA qw(sha1_hex); use MIME::Base64; print sha1_hex("abc"), " ", encode_base64("perl"); use bigint; print 2 ** 100, "\n";
S
perl /tmp/p.pl; seq 5 | perl -ne 'print if $. % 2'; perl -pi -e 's/x/y/' /tmp/p.txt; head -n 1 /tmp/p.txt; perl -MThread::Queue -e 'print "thr\n"'; perl -Mthreads -e 'print threads->create(sub { 6 * 7 })->join, "\n"'
