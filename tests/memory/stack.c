/*
 * Every function on a stack of 16 KiB with a page below that cannot be touched, painted before each call: how deep
 * the deepest call of each exercise came.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <sock.h>

#include "all_functions.h"

enum { STACK = 16 << 10, PAGE = 4096, MOST = 2048, PAINT = 0xA5 };

static unsigned char *stack;
static uintptr_t caller;
static long deepest;

/* What prepares a call is itself called from where the call will be, so that both begin at one address. */
__attribute__((noinline)) static void paint(struct room *room)
{
    (void)room;
    volatile unsigned char *at = stack;
    caller = (uintptr_t)__builtin_frame_address(0);
    while ((uintptr_t)at < caller - 192)
        *at++ = PAINT;
}

__attribute__((noinline)) static void measure(struct room *room)
{
    (void)room;
    const volatile unsigned char *at = stack;
    while ((uintptr_t)at < caller && *at == PAINT)
        at++;
    long depth = (long)(caller - (uintptr_t)at);
    deepest = depth > deepest ? depth : deepest;
}

static struct room room;
static const struct function *current;

static void run(void)
{
    for (int i = 0; i < MODES; i++)
        exercise(&room, current, modes[i], 0);
}

/* On the small stack the whole exercise runs, the test's own part of it included. */
static long depth_of(const struct function *function)
{
    static ucontext_t here, there;
    current = function;
    deepest = 0;
    must(getcontext(&there), "getcontext");
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = STACK;
    there.uc_link = &here;
    makecontext(&there, run, 0);
    must(swapcontext(&here, &there), "swapcontext");
    return deepest;
}

int main(void)
{
    start_peer();
    make_room(&room);
    room.before = paint;
    room.after = measure;
    unsigned char *memory = mmap(NULL, PAGE + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(memory == MAP_FAILED ? -1 : 0, "mmap");
    must(mprotect(memory, PAGE, PROT_NONE), "mprotect");
    stack = memory + PAGE;
    long most = 0;
    for (const struct function *function = functions; function->name; function++) {
        long depth = depth_of(function);
        printf("%s %ld bytes\n", function->name, depth);
        most = depth > most ? depth : most;
    }
    printf("%ld bytes at most, in %ld calls on %d bytes\n", most, room.checks, STACK);
    return most > MOST;
}
