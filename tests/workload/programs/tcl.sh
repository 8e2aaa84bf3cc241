# packages: tcl
cat > /tmp/t.tcl <<'S'
proc fact n { expr {$n < 2 ? 1 : $n * [fact [expr {$n - 1}]]} }; puts [fact 25]; puts [lsort -integer {10 9 2 33}]
set d [dict create a 1 b 2]; dict for {k v} $d { puts "$k->$v" }; puts [regsub -all {(\d+)} "a1b22" {<\1>}]; puts [string length "häß"]
puts [exec echo from exec | tr a-z A-Z]; if {[catch {exec sh -c "exit 3"} m o]} { puts [lindex [dict get $o -errorcode] 2] }
set s [socket -server {apply {{c a p} { puts $c [string toupper [gets $c]]; close $c }}} -myaddr 127.0.0.1 0]; set port [lindex [fconfigure $s -sockname] 2]
set c [socket 127.0.0.1 $port]; puts $c tcp; flush $c; fileevent $c readable {puts [gets $c]; close $c; set done 1}; vwait done
coroutine co apply {{} { yield; foreach i {1 2 3} { yield $i } }}; puts "[co] [co]"; after 50 {set t 1}; vwait t; puts [format %08.3f 3.14159]
set f [open /tmp/t.txt w]; puts $f text; close $f; puts [file size /tmp/t.txt]; puts [clock format 0 -gmt 1 -format %Y-%m-%d]; oo::class create P { method hi {} { puts hi } }; [P new] hi
S
tclsh /tmp/t.tcl; echo 'puts [expr {6*7}]' | tclsh
