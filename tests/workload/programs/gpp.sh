# packages: g++
# seconds: 1200
cd /tmp; cat > a.cc <<'S'
#include <algorithm>
#include <atomic>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <ranges>
#include <regex>
#include <stdexcept>
#include <thread>
#include <vector>
struct B { virtual ~B() = default; virtual int f() const = 0; }; struct D : B { int f() const override { return 42; } };
template <class T> concept Num = std::is_arithmetic_v<T>; template <Num T> T sq(T x) { return x * x; }
int main() {
    std::map<std::string, int> m; for (auto s : {"b", "a", "b"}) m[s]++; for (auto &[k, v] : m) std::cout << k << v << ' ';
    std::unique_ptr<B> p = std::make_unique<D>(); std::cout << p->f() << ' ' << sq(1.5) << '\n';
    try { throw std::runtime_error("thrown"); } catch (const std::exception &e) { std::cout << e.what() << '\n'; }
    std::atomic<int> n = 0; { std::vector<std::jthread> t; for (int i = 0; i < 4; i++) t.emplace_back([&] { for (int j = 0; j < 1000; j++) n++; }); }
    auto f = std::async(std::launch::async, [] { return 7; }); std::cout << n << ' ' << f.get() << ' ' << std::regex_replace("a1b2", std::regex("\\d"), "#") << '\n';
    for (int x : std::views::iota(1, 8) | std::views::filter([](int x) { return x % 2; })) std::cout << x; std::cout << '\n';
    try { (void)std::vector<int>().at(3); } catch (std::out_of_range &) { std::cout << "out of range\n"; }
}
S
g++ -std=c++20 -O1 a.cc -o a && ./a; echo "code $?"
