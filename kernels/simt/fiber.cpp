#include "kernels/simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "kernels/simt/race.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#if defined(__x86_64__) && !defined(HEDDLE_SIMT_UCONTEXT)

// Saves what a function must leave as it found it, on the stack, and takes the same from the other stack. (makecontext
// and swapcontext make a system call each time, and cost ten times as much.)
extern "C" void heddle_simt_switch(void** leave, void* enter);
asm(R"(
    .text
    .balign 16
    .hidden heddle_simt_switch
    .globl heddle_simt_switch
    .type heddle_simt_switch, @function
heddle_simt_switch:
    subq $48, %rsp
    movq %rbx, 0(%rsp)
    movq %r12, 8(%rsp)
    movq %r13, 16(%rsp)
    movq %r14, 24(%rsp)
    movq %r15, 32(%rsp)
    movq %rbp, 40(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    movq 0(%rsp), %rbx
    movq 8(%rsp), %r12
    movq 16(%rsp), %r13
    movq 24(%rsp), %r14
    movq 32(%rsp), %r15
    movq 40(%rsp), %rbp
    addq $48, %rsp
    ret
    .size heddle_simt_switch, . - heddle_simt_switch
)");

namespace {

/// A stack as `heddle_simt_switch` leaves one: six registers, and the address that `ret` takes.
void* prepare(char* stack, std::size_t bytes, void (*entry)()) {
    void** top = reinterpret_cast<void**>(stack + bytes);
    top[-1] = nullptr;  // where entry would return to; also what aligns its frame
    top[-2] = reinterpret_cast<void*>(entry);
    std::memset(top - 8, 0, 6 * sizeof(void*));
    return top - 8;
}

void jump(void** leave, void* enter) { heddle_simt_switch(leave, enter); }

}  // namespace

#else
#include <ucontext.h>

namespace {

void* prepare(char* stack, std::size_t bytes, void (*entry)()) {
    auto* context = new ucontext_t;
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = bytes;
    context->uc_link = nullptr;
    makecontext(context, entry, 0);
    return context;
}

void jump(void** leave, void* enter) {
    if (!*leave) *leave = new ucontext_t;
    swapcontext(static_cast<ucontext_t*>(*leave), static_cast<ucontext_t*>(enter));
}

}  // namespace
#endif

namespace heddle::simt {
namespace {

constexpr std::size_t stack_reserve = 256 * 1024;
constexpr std::size_t stagger_step = 192, stagger_count = 61;

/// AddressSanitizer's marks outlive a mapping: what lay at these addresses, another thread's stack, say, may have left
/// some, and so may the frames of a fiber that nobody returned to.
void clear_marks([[maybe_unused]] char* stack) {
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack, stack_reserve);
#endif
}

std::size_t guard_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

Fiber::Fiber(void (*entry)(), std::size_t stagger) {
    const std::size_t guard = guard_bytes();
    void* memory = mmap(nullptr, stack_reserve + guard, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    check(memory != MAP_FAILED, "simulator: no memory for the stack of a thread: {}", std::strerror(errno));
    mprotect(memory, guard, PROT_NONE);
    owns_stack_ = true;
    stack_ = static_cast<char*>(memory) + guard;
    clear_marks(stack_);
    stack_bytes_ = stack_reserve - stagger % stagger_count * stagger_step;
    stack_pointer_ = prepare(stack_, stack_bytes_, entry);
    race_context = race::create_context();
}

Fiber::~Fiber() {
#if !defined(__x86_64__) || defined(HEDDLE_SIMT_UCONTEXT)
    delete static_cast<ucontext_t*>(stack_pointer_);
#endif
    if (race_context) race::destroy_context(race_context);
    if (!owns_stack_) return;
    clear_marks(stack_);
    munmap(stack_ - guard_bytes(), stack_reserve + guard_bytes());
}

void Fiber::switch_to(Fiber& next) {
    next.came_from_ = this;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&fake_stack_, next.stack_, next.stack_bytes_);
#endif
    jump(&stack_pointer_, next.stack_pointer_);
    arrived();
}

void Fiber::arrived() {
#if defined(__SANITIZE_ADDRESS__)
    const void* bottom = nullptr;
    std::size_t bytes = 0;
    __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &bytes);
    if (!came_from_->owns_stack_) {  // only now is it known where the operating system's stack lies
        came_from_->stack_ = static_cast<char*>(const_cast<void*>(bottom));
        came_from_->stack_bytes_ = bytes;
    }
#endif
}

}  // namespace heddle::simt
