// C++ on a stage: new and delete, also with a stricter alignment, exceptions, objects that are made
// before main and unmade after it. Run it under a stage's preload object.
//
// usage: objects STAGE

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

int checks;
int failures;

void expect(bool holds, const char *what)
{
    checks++;
    if (holds)
        return;
    failures++;
    std::fprintf(stderr, "fails: %s\n", what);
}

// Made before main, unmade after it has returned.
struct diary {
    std::map<std::string, std::vector<int>> pages;

    diary()
    {
        for (int i = 0; i < 1000; i++)
            pages["page " + std::to_string(i)].assign(static_cast<std::size_t>(i), i);
    }

    ~diary()
    {
        bool intact = pages.size() == 1000 && pages["page 999"][998] == 999;
        pages.clear();
        std::puts(intact ? "unmade after main" : "fails: what was made before main is lost");
        std::fflush(stdout);
        if (!intact)
            std::_Exit(1);
    }
};

diary before_main;

struct alignas(256) aligned {
    char bytes[512];
};

void test_aligned_new()
{
    std::vector<std::unique_ptr<aligned>> objects;
    for (int i = 0; i < 100; i++) {
        objects.push_back(std::make_unique<aligned>());
        auto address = reinterpret_cast<std::uintptr_t>(objects.back().get());
        expect(address % 256 == 0, "new aligns to 256 bytes");
        std::memset(objects.back()->bytes, i, sizeof objects.back()->bytes);
    }
    for (int i = 0; i < 100; i++)
        expect(objects[static_cast<std::size_t>(i)]->bytes[511] == i,
               "aligned objects keep their bytes");
}

[[noreturn]] void raise(int depth)
{
    std::string text(static_cast<std::size_t>(depth * 10), 'x');
    if (depth == 0)
        throw std::runtime_error("at the bottom");
    raise(depth - 1);
}

void test_exceptions()
{
    for (int i = 0; i < 200; i++) {
        try {
            raise(i % 50);
        } catch (const std::runtime_error &error) {
            expect(std::string(error.what()) == "at the bottom", "an exception arrives");
        }
    }
}

void test_bad_alloc()
{
    volatile std::size_t huge = std::numeric_limits<std::ptrdiff_t>::max();
    bool thrown = false;
    try {
        delete[] new char[huge];
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    expect(thrown, "new throws bad_alloc when there is no memory");
    expect(new (std::nothrow) char[huge] == nullptr, "new (nothrow) gives a null pointer");
}

void test_containers(int *sum)
{
    std::vector<std::string> words;
    for (int i = 0; i < 20000; i++)
        words.push_back("a word that is too long to lie in the string itself " + std::to_string(i));
    for (const auto &word : words)
        *sum += static_cast<int>(word.size());
}

void test_threads()
{
    int sums[4] = {};
    std::vector<std::thread> threads;
    for (int &sum : sums)
        threads.emplace_back(test_containers, &sum);
    for (auto &thread : threads)
        thread.join();
    for (int sum : sums)
        expect(sum == sums[0] && sum > 1000000, "threads build the same words");
}

} // namespace

int main(int count, char **arguments)
{
    if (count != 2) {
        std::fprintf(stderr, "usage: objects STAGE\n");
        return 2;
    }
    expect(before_main.pages["page 500"].size() == 500, "an object is there before main");
    test_aligned_new();
    test_exceptions();
    test_bad_alloc();
    int sum = 0;
    test_containers(&sum);
    expect(sum > 1000000, "containers grow");
    if (arguments[1][0] == '5')
        test_threads();
    std::printf("%d checks, %d failed\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
