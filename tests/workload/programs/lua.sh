# packages: lua5.4
# quick
cat > /tmp/l.lua <<'S'
local function fib(n) return n < 2 and n or fib(n-1) + fib(n-2) end
print(_VERSION, fib(20))
local t = setmetatable({}, {__index = function(_, k) return k .. "!" end}); print(t.hello, #"häß")
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end); print(co(), co(), co())
print(string.format("%5.2f|%q|%x", math.pi, "a\nb", 255), ("a,b,c"):gsub(",", ";"))
print(pcall(error, {code = 42})); print(select("#", table.unpack({1, 2, 3})), 7 // 2, 7 % -3, 1 << 40, 2^53 | 0)
local f <close> = io.open("/tmp/l.txt", "w"); f:write("line\n", 12, "\n"); f:flush(); for l in io.lines("/tmp/l.txt") do print(l) end
local p = io.popen("echo from sh"); print(p:read("a")); print(p:close()); print(os.execute("true"))
local s = {} for i = 1, 50000 do s[i] = (i * 7919) % 50021 end; table.sort(s); print(s[1], s[25000], s[50000])
print(utf8.char(228, 8364), utf8.len("ä€"), os.time{year=2000, month=1, day=1, hour=0}, collectgarbage("count") > 0)
goto done
print("never")
::done::
S
lua5.4 /tmp/l.lua 2>&1 | sed 's/table: 0x[0-9a-f]*/table/'; echo 'print(1+1)' | lua5.4 -; luac5.4 -p /tmp/l.lua && echo compiled
