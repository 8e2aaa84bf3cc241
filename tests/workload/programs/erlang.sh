# packages: erlang-base
# seconds: 900
mkdir /tmp/e; cd /tmp/e; export HOME=/tmp; cat > a.erl <<'S'
-module(a).
-export([main/0]).
loop(N) -> receive {add, K} -> loop(N + K); {get, P} -> P ! N, loop(N); stop -> ok end.
main() ->
    P = spawn(fun() -> loop(0) end), [P ! {add, I} || I <- lists:seq(1, 1000)], P ! {get, self()}, receive N -> io:format("~p~n", [N]) end,
    Ps = [spawn_monitor(fun() -> exit({done, I * I}) end) || I <- lists:seq(1, 5)], io:format("~p~n", [[receive {'DOWN', R, _, _, X} -> X end || {_, R} <- Ps]]),
    io:format("~ts ~p ~p~n", [string:uppercase("über"), maps:get(k, #{k => 5}), << <<(X * 2)>> || <<X>> <= <<1, 2, 3>> >>]), io:format("~s", [os:cmd("echo sub")]),
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}]), {ok, Port} = inet:port(L), spawn(fun() -> {ok, S} = gen_tcp:accept(L), {ok, D} = gen_tcp:recv(S, 3), gen_tcp:send(S, [D, D]), gen_tcp:close(S) end),
    {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}]), gen_tcp:send(C, "tcp"), io:format("~p~n", [gen_tcp:recv(C, 6)]), io:format("~p ~p~n", [catch 1 / 0 == x, erlang:phash2(abc)]), halt(4).
S
sed -i 's/\[catch 1 \/ 0 == x, erlang:phash2(abc)\]/[(try 1 div (length(Ps) - 5) catch error:E -> E end), erlang:phash2(abc)]/' a.erl; erlc a.erl && erl -noshell -s a main; echo "code $?"
