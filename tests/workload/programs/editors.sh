# packages: vim-tiny nano less tmux procps util-linux ncurses-bin ncurses-base bsdutils
# seconds: 900
cd /tmp; export TERM=xterm; printf 'one\ntwo\nthree\n' > f; vim.tiny -es -u NONE -c '%s/o/0/g' -c 'g/three/d' -c 'wq' f; cat f
tmux -f /dev/null -L t new-session -d -x 80 -y 24 'PS1="$ " bash --norc --noprofile'; k() { tmux -L t send-keys "$@"; sleep 0.7; }; p() { tmux -L t capture-pane -p | sed 's/ *$//' | grep -v '^$'; }; sleep 1
k 'echo in $((6*7))' Enter; p; k 'clear; vim.tiny -u NONE f' Enter; k 'Goadded' Escape ':wq' Enter; k 'clear; nano g' Enter; k 'typed in nano' C-o; k Enter; k C-x; cat f g
k 'clear; seq 100 | less' Enter; k G; p | tail -n 2; k '?50' Enter; p | head -n 1; k q; k 'clear; top -d 5' Enter; p | grep -c 'load average'; k q; k 'clear; stty size; tput cols' Enter; p | tail -n 3 | head -n 2; tmux -L t split-window -h 'sleep 60'; tmux -L t list-panes -F '#{pane_width}x#{pane_height}'; k 'clear; stty size' Enter; p | sed -n 2p; k exit Enter; tmux -L t kill-server
script -qc 'echo in script; tty | cut -c 1-8; exit 3' -e /tmp/ts > so; echo "code $?"; tr -d '\r' < so; top -b -n 1 | head -n 7 | tail -n 1 | tr -s ' '; ps -o comm= -p $$; ps -e --no-headers > /dev/null && echo listed; free -m | head -n 1; pgrep -c bash > /dev/null && echo found; setsid -w sh -c 'ps -o tty= -p $$'; echo 'a	b' | less -X | head -n 1
