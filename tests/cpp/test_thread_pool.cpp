// tests/cpp/test_thread_pool.cpp -- our own threads: many callers, forks, changed counts
#include "../../csrc/cpu/thread_pool.h"

#include "check.h"
#include "samples.h"

#include <csignal>
#include <set>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace jaxkeops;
using namespace samples;

namespace {

#ifdef __SANITIZE_THREAD__ // the sanitizer does not follow threads started by a forked child
constexpr bool kCanThreadAfterFork = false;
#else
constexpr bool kCanThreadAfterFork = true;
#endif

bool solve(const Kernel &kernel, int64_t M, int64_t N) {
    Arrays arrays(M, N);
    Problem problem(kernel);
    const auto inputs = arrays.inputs(), outputs = arrays.outputs();
    return problem.bind_inputs(inputs.data(), inputs.size()).is_ok() &&
           problem.bind_outputs(outputs.data(), outputs.size()).is_ok() &&
           launch(problem, ThreadPool::instance()).is_ok() && arrays.agree();
}

std::mutex seen_mutex;
std::set<std::thread::id> seen;

void slow_rows(const Call *call, int64_t begin, int64_t end) {
    {
        std::lock_guard lock(seen_mutex);
        seen.insert(std::this_thread::get_id());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(8));
    rows(call, begin, end);
}

Kernel slow_kernel() {
    Kernel kernel = plain_kernel();
    kernel.rows = slow_rows;
    kernel.pair_cost = 1e4;
    return kernel;
}

void test_the_number_of_threads_is_obeyed() {
    CHECK(num_threads() >= 1);
    for (int64_t threads : {4, 1, 3}) {
        set_num_threads(threads);
        CHECK(num_threads() == threads);
        seen.clear();
        CHECK(solve(slow_kernel(), 64, 20));
        CHECK(static_cast<int64_t>(seen.size()) == threads);
    }
    set_num_threads(0);
    CHECK(num_threads() == 1);
    set_num_threads(4);
}

void test_many_callers_at_once() {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 16; ++caller)
        callers.emplace_back([] {
            for (int round = 0; round < 30; ++round) {
                CHECK(solve(plain_kernel(), 150, 200));
                CHECK(solve(column_kernel(), 150, 200));
            }
        });
    for (std::thread &caller : callers)
        caller.join();
}

bool exits_well(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0;
}

void test_a_child_has_a_pool_of_its_own() {
    CHECK(solve(slow_kernel(), 64, 20));
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        seen.clear();
        const bool right = solve(slow_kernel(), 64, 20) && solve(column_kernel(), 300, 300);
        _exit(right && seen.size() == 4 ? 0 : 1);
    }
    CHECK(exits_well(child));
    CHECK(solve(column_kernel(), 300, 300));
}

/// At the moment of the fork other threads are anywhere, the pool's lock included.
void test_forks_while_others_work() {
    std::atomic<bool> stop{false};
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 3; ++caller)
        callers.emplace_back([&] {
            while (!stop)
                CHECK(solve(plain_kernel(), 150, 200));
        });
    for (int round = 0; round < 30; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(20);
            _exit(solve(plain_kernel(), 150, 200) ? 0 : 1);
        }
        CHECK(exits_well(child));
    }
    stop = true;
    for (std::thread &caller : callers)
        caller.join();
}

void test_workers_take_no_signals() {
    static std::atomic<int> elsewhere{0};
    static const std::thread::id main_thread = std::this_thread::get_id();
    std::signal(SIGUSR1, [](int) { elsewhere += std::this_thread::get_id() != main_thread; });
    CHECK(solve(slow_kernel(), 64, 20)); // the workers are there, and asleep
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, &before); // any thread that can will take it now
    kill(getpid(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    CHECK(elsewhere == 0);
}

} // namespace

int main() {
    test_the_number_of_threads_is_obeyed();
    test_workers_take_no_signals();
    test_many_callers_at_once();
    if (kCanThreadAfterFork) {
        test_a_child_has_a_pool_of_its_own();
        test_forks_while_others_work();
    }
    return failures != 0;
}
