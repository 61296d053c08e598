// tests/cpp/test_kernel_table.cpp -- one compilation per key, shared by all who ask
#include "../../csrc/core/kernel_table.h"

#include "check.h"
#include "samples.h"

#include <chrono>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace jaxkeops;

namespace {

KernelPtr some_kernel() {
    return std::make_shared<Kernel>(samples::plain_kernel());
}

void pause_for_others() {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

void test_the_first_published_stays() {
    const KernelPtr first = some_kernel();
    CHECK(find("first") == nullptr);
    CHECK(publish("first", first) == first);
    CHECK(publish("first", some_kernel()) == first);
    CHECK(find("first") == first);
    CHECK(find_or_compile("first", "").kernel == first);
}

void test_without_a_hook_an_unknown_key_fails() {
    set_compile_hook({});
    CHECK(contains(find_or_compile("unknown", "text").failure, "no compiler"));
}

void test_threads_share_one_compilation() {
    std::atomic<int> compilations{0};
    set_compile_hook([&](const std::string &key, const std::string &text) {
        ++compilations;
        CHECK(text == "text of " + key);
        pause_for_others();
        return Compiled{some_kernel(), {}, nullptr};
    });
    std::vector<std::thread> threads;
    for (int k = 0; k < 32; ++k)
        threads.emplace_back([k] {
            const std::string key = "shared" + std::to_string(k % 4);
            const Compiled compiled = find_or_compile(key, "text of " + key);
            CHECK(compiled.kernel && compiled.kernel == find(key));
        });
    for (std::thread &thread : threads)
        thread.join();
    CHECK(compilations == 4);
}

void test_threads_share_one_failure_and_it_is_forgotten() {
    std::atomic<int> compilations{0};
    const auto cause = std::make_shared<int>(42);
    set_compile_hook([&](const std::string &, const std::string &) {
        ++compilations;
        pause_for_others();
        return Compiled{nullptr, "no such formula", cause};
    });
    std::vector<std::thread> threads;
    for (int k = 0; k < 8; ++k)
        threads.emplace_back([&] {
            const Compiled compiled = find_or_compile("failing", "");
            CHECK(!compiled.kernel && compiled.failure == "no such formula");
            CHECK(compiled.cause == cause);
        });
    for (std::thread &thread : threads)
        thread.join();
    CHECK(compilations >= 1 && compilations < 8);
    set_compile_hook([&](const std::string &, const std::string &) {
        return Compiled{some_kernel(), {}, nullptr};
    });
    CHECK(find_or_compile("failing", "").kernel);
}

void test_bad_hooks_become_failures() {
    set_compile_hook(
        [](const std::string &key, const std::string &text) { return find_or_compile(key, text); });
    CHECK(contains(find_or_compile("itself", "").failure, "asked for the same kernel"));
    set_compile_hook([](const std::string &, const std::string &) -> Compiled {
        throw std::runtime_error("thrown");
    });
    CHECK(find_or_compile("thrower", "").failure == "thrown");
    set_compile_hook([](const std::string &, const std::string &) { return Compiled{}; });
    CHECK(contains(find_or_compile("nothing", "").failure, "gave no kernel"));
}

void test_code_for_few_rows_is_compiled_when_rows_are_few() {
    int compilations = 0;
    bool works = false;
    set_compile_hook([&](const std::string &, const std::string &) {
        ++compilations;
        return works ? Compiled{some_kernel(), {}, nullptr} : Compiled{nullptr, "no room", nullptr};
    });
    Kernel kernel = samples::plain_kernel();
    kernel.few = std::make_shared<const FewRows>(8, "few", "text");
    CHECK(complete(kernel, 9).is_ok() && compilations == 0);
    CHECK(contains(complete(kernel, 8).message(), "no room"));
    CHECK(kernel.few->rows.load() == nullptr);
    works = true;
    CHECK(complete(kernel, 8).is_ok() && complete(kernel, 1).is_ok());
    CHECK(compilations == 2 && kernel.few->rows.load() == &samples::rows);
    CHECK(complete(samples::plain_kernel(), 1).is_ok() && compilations == 2);
}

/// The child's copy of the table must not wait for a compilation that only the parent goes on with.
void test_a_child_forked_during_a_compilation_compiles_itself() {
    const pid_t parent = getpid();
    std::atomic<bool> started{false};
    set_compile_hook([&](const std::string &, const std::string &) {
        started = true;
        while (getpid() == parent && started)
            std::this_thread::yield();
        return Compiled{some_kernel(), {}, nullptr};
    });
    std::thread compiling([] { CHECK(find_or_compile("forked", "").kernel); });
    while (!started)
        std::this_thread::yield();
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(find_or_compile("forked", "").kernel && find("first") ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
    started = false;
    compiling.join();
}

} // namespace

int main() {
    test_the_first_published_stays();
    test_without_a_hook_an_unknown_key_fails();
    test_threads_share_one_compilation();
    test_threads_share_one_failure_and_it_is_forgotten();
    test_bad_hooks_become_failures();
    test_code_for_few_rows_is_compiled_when_rows_are_few();
    test_a_child_forked_during_a_compilation_compiles_itself();
    return failures != 0;
}
