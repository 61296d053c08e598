// tests/cpp/check.h -- CHECK says what failed and goes on; `failures` is the exit status
#pragma once

#include <atomic>
#include <cstdio>
#include <string>

inline std::atomic<int> failures{0};

inline bool contains(const std::string &text, const std::string &part) {
    if (text.find(part) != std::string::npos)
        return true;
    std::fprintf(stderr, "  got: %s\n", text.c_str());
    return false;
}

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            ++failures;                                                                            \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #claim);             \
        }                                                                                          \
    } while (false)
