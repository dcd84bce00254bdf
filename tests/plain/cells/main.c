/*
 * Plays the cells, side by side, and compares what is told of them.
 *
 *   cells [--every N] [--at-once N] [--only PATTERN] [--nap SECONDS] [--steady]
 *
 * One in N of the cells, scattered over all of them; so many at once; plain sleeps of so many seconds, whose lateness is the
 * machine's; with --steady the plain calls are compared with themselves instead, which shows what is left to chance. The
 * pattern, or LIBSOCK_ONLY, is for the names of tests: an operation on a kind of socket.
 */
#include "cells.h"

#include <pthread.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { TRIES = 40, KINDS = 32, VARIANTS = 3, MOST_AT_ONCE = 1024 };

static struct item {
    struct cell cell;
    struct story story;
    bool differs, late, unplayed;
    char why[200];
} *items;
static int item_count;

/* What the plain call did, by what differs for it. */
static struct oracle {
    struct cell cell;
    struct story story;
    bool needed;
} oracles[KINDS][OPERATIONS][EVENTS][VARIANTS];

static const char *only;

static bool wanted(const char *name)
{
    regex_t compiled;
    if (!only || !*only)
        return true;
    MUST(regcomp(&compiled, only, REG_EXTENDED | REG_NOSUB) == 0);
    bool matches = regexec(&compiled, name, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}

static struct oracle *oracle_of(const struct cell *cell)
{
    struct cell plain = cell_oracle(cell);
    int variant = plain.phase == BLOCKING ? 0 : plain.phase == BLOCKING_SIGNALLED ? 1 : 2;
    struct oracle *oracle = &oracles[plain.kind - kinds][plain.operation][plain.event][variant];
    oracle->cell = plain;
    return oracle;
}

/* Plays until it came about as it should. */
static void play_well(const struct cell *cell, enum player player, struct story *story)
{
    for (int i = 0; i < TRIES; i++) {
        play(cell, player, story);
        if (story->valid && !(player == PLAIN && story->premature))
            return;
    }
}

static bool as_expected(const struct cell *cell, const struct story *plain, const struct story *story)
{
    char expected[120];
    bool timed = has_timeout(cell->phase), counts = cell->operation == RECVALL || cell->operation == SENDALL;
    if (plain->over)
        snprintf(expected, sizeof expected, "%s", plain->outcome);
    else if (timed && counts)
        snprintf(expected, sizeof expected, "ETIMEDOUT of %zu", plain->moved);
    else
        snprintf(expected, sizeof expected, "%s", timed ? "ETIMEDOUT" : "sleeps on");
    if (!strcmp(story->outcome, expected))
        return true;
    /* With a timeout a part may be sent. */
    if (timed && cell->operation == SEND_LARGE && cell->kind->traits & STREAM && plain->moved == LARGE)
        return story->moved > 0 && story->moved < LARGE;
    /* A plain client of a full Unix listener is not told that it was shut down. One that asks again is. */
    if (timed && cell->operation == CONNECT && (cell->event == PEER_RD || cell->event == PEER_RDWR))
        return !plain->over && !strcmp(story->outcome, "ECONNREFUSED");
    return false;
}

/* Whether the outcome is as the plain call's was, and in time. `again`: it came too late to tell. */
static bool agrees(const struct cell *cell, const struct story *plain, const struct story *story, char *why, size_t size, bool *again)
{
    double timeout = phase_timeout(cell->phase), deadline = story->began + timeout;
    double late = clock_late(story->began < story->happened ? story->began : story->happened, story->ended), slack = 0.05 + late;
    bool timed = has_timeout(cell->phase), timed_out = !strncmp(story->outcome, "ETIMEDOUT", 9);
    double took = story->ended - story->began, after = story->ended - story->happened;
    *again = false;
    if (!strcmp(story->outcome, "goes on for ever")) {
        snprintf(why, size, "nothing ended it");
        return false;
    }
    /* Linux 5.10 shuts no socket down that waits in its connect(2), and one that is polled it does. */
    if (plain->denied && !story->denied)
        return !strcmp(story->outcome, "ECONNRESET");
    if (timed_out && timed && story->ended < deadline && cell->event != SHORTER) {
        snprintf(why, size, "%.1f ms early", (deadline - story->ended) * 1e3);
        return false;
    }
    if (story->premature) {
        *again = timed_out && timed;
        snprintf(why, size, "it ended before anything happened");
        return *again;
    }
    if (story->busy > 0.02 + took / 5) {
        snprintf(why, size, "it was busy for %.1f of %.1f ms", story->busy * 1e3, took * 1e3);
        return false;
    }
    if (cell->event == LONGER || cell->event == SHORTER) {
        double least = cell->event == LONGER ? timeout : timeout - 0.3, most = cell->event == LONGER ? timeout + 0.3 : timeout;
        snprintf(why, size, "it took %.4f s where %.1f to %.1f are right", took, least, most);
        return timed_out && took >= least && took <= most + slack;
    }
    if ((cell->event == THREAD_NONBLOCKING || cell->event == PROCESS_NONBLOCKING) && !strcmp(story->outcome, "EAGAIN"))
        return true;
    if (plain->over && timed_out && timed) {
        /* Where the plain call itself takes long, it may well be over time. */
        double margin = cell->phase == SHORT ? 0.002 : 0.03, plainly = plain->ended - plain->happened;
        if (phase_moment(cell->phase) + plainly + margin > timeout)
            return true;
        *again = story->happened + plainly + margin + late > deadline;
    }
    if (!as_expected(cell, plain, story)) {
        snprintf(why, size, "the outcome");
        return *again;
    }
    double expected_after = plain->over ? plain->ended - plain->happened : deadline - story->happened;
    expected_after = expected_after > 0 ? expected_after : 0;
    if (story->over && after > expected_after + slack) {
        snprintf(why, size, "%.1f ms late", (after - expected_after) * 1e3);
        return false;
    }
    snprintf(why, size, "the next calls");
    return !cell_tells_next(cell) || !strcmp(story->next, plain->next);
}

static bool judge(struct item *item, const struct story *plain, bool *again)
{
    bool same = agrees(&item->cell, plain, &item->story, item->why, sizeof item->why, again);
    item->late = !same && strstr(item->why, "ms late");
    return same;
}

static void play_oracle(void *argument)
{
    struct oracle *oracle = argument;
    play_well(&oracle->cell, PLAIN, &oracle->story);
}

static void play_item(void *argument)
{
    struct item *item = argument;
    const struct story *plain = &oracle_of(&item->cell)->story;
    bool again = true;
    for (int i = 0; i < TRIES && again; i++) {
        play_well(&item->cell, cell_player(&item->cell), &item->story);
        item->differs = !judge(item, plain, &again);
    }
    item->unplayed = again;
}

/* Twice more, the plain call too: it differs if it does so again, or is late each time, for the machine may be busy. */
static void replay(void *argument)
{
    struct item *item = argument;
    struct item once = *item;
    struct cell plain_cell = cell_oracle(&item->cell);
    struct story plain;
    int late = 0;
    for (int i = 0; i < 2; i++) {
        bool again = true;
        play_well(&plain_cell, PLAIN, &plain);
        for (int try = 0; try < TRIES && again; try++) {
            play_well(&once.cell, cell_player(&once.cell), &once.story);
            once.differs = !judge(&once, &plain, &again);
        }
        if (again) {
            item->unplayed = true;
        } else if (once.differs && (!once.late || ++late == 2)) {
            *item = once;
            oracle_of(&item->cell)->story = plain;
            return;
        }
    }
    item->differs = false;
}

/* A number of threads that play what there is to play. */
struct pool {
    void (*body)(void *);
    void **arguments;
    int count;
    atomic_int next;
};

static void *work(void *argument)
{
    struct pool *pool = argument;
    for (int i; (i = atomic_fetch_add(&pool->next, 1)) < pool->count;)
        pool->body(pool->arguments[i]);
    return NULL;
}

static void side_by_side(int at_once, void (*body)(void *), void **arguments, int count)
{
    struct pool pool = {.body = body, .arguments = arguments, .count = count};
    pthread_t threads[MOST_AT_ONCE];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 512 << 10);
    if (at_once > count)
        at_once = count;
    for (int i = 0; i < at_once; i++) {
        MUST(pthread_create(&threads[i], &small, work, &pool) == 0);
    }
    for (int i = 0; i < at_once; i++)
        pthread_join(threads[i], NULL);
}

static void name_test(const struct cell *cell, char *name, size_t size)
{
    snprintf(name, size, "%s on %s", operation_names[cell->operation], cell->kind->name);
}

/* All cells of the wanted tests, the longest first, one in `every`. */
static void list(int every)
{
    static const enum phase order[PHASES] = {IN_TAIL, IN_KERNEL, SIGNALLED, DEADLINE, DEADLINE_SIGNALLED, BLOCKING, BLOCKING_SIGNALLED, BEFORE, BEFORE_BLOCKING, DEADLINE_BEFORE, SHORT};
    char name[100];
    unsigned number = 0;
    items = calloc((size_t)kind_count * OPERATIONS * PHASES * EVENTS, sizeof *items);
    for (int p = 0; p < PHASES; p++)
        for (const struct kind *kind = kinds; kind < kinds + kind_count; kind++) {
            if (kind_absent(kind))
                continue;
            for (int operation = 0; operation < OPERATIONS; operation++)
                for (int event = 0; event < EVENTS; event++) {
                    struct cell cell = {kind, (enum operation)operation, order[p], (enum event)event};
                    name_test(&cell, name, sizeof name);
                    if (!cell_exists(&cell))
                        continue;
                    /* A multiplier scatters them, so that no row is left out. */
                    bool is_turn = (number++ * 2654435761u >> 16) % (unsigned)every == 0;
                    if (is_turn && wanted(name))
                        items[item_count++].cell = cell;
                }
        }
}

static void tell(const struct item *item)
{
    const struct story *plain = &oracle_of(&item->cell)->story, *story = &item->story;
    printf("    %s on %s, %s, %s: %s\n        plain: %s after %.1f ms [%s]\n        libsock: %s after %.1f ms [%s]\n",
           operation_names[item->cell.operation], item->cell.kind->name, event_names[item->cell.event], phase_names[item->cell.phase],
           item->why, plain->outcome, (plain->ended - plain->happened) * 1e3, plain->next, story->outcome,
           (story->ended - story->happened) * 1e3, story->next);
}

static int report(void)
{
    char name[100], other[100];
    int differing = 0;
    for (const struct kind *kind = kinds; kind < kinds + kind_count; kind++)
        for (int operation = 0; operation < OPERATIONS; operation++) {
            struct cell test = {.kind = kind, .operation = (enum operation)operation};
            int count = 0, different = 0;
            name_test(&test, name, sizeof name);
            for (int i = 0; i < item_count; i++) {
                name_test(&items[i].cell, other, sizeof other);
                count += !strcmp(name, other);
                different += !strcmp(name, other) && items[i].differs;
            }
            if (count == 0)
                continue;
            if (different == 0)
                printf("ok %s: %d cells, none different\n", name, count);
            else
                printf("not ok %s: %d of %d cells different\n", name, different, count);
            for (int i = 0; i < item_count; i++) {
                name_test(&items[i].cell, other, sizeof other);
                if (!strcmp(name, other) && items[i].differs)
                    tell(&items[i]);
            }
            differing += different;
        }
    return differing;
}

static void tell_absent(void)
{
    for (const struct kind *kind = kinds; kind < kinds + kind_count; kind++) {
        const char *why = kind_absent(kind);
        if (why)
            printf("absent: %s (%s)\n", kind->name, why);
    }
    if (forge_impossible())
        printf("absent: wrong checksums, and clients of TCP whose SYN is answered late (%s)\n", forge_impossible());
}

/* In which system call they slept when it happened. */
static void tell_sleeps(void)
{
    for (int phase = 0; phase < PHASES; phase++) {
        int counts[3] = {0};
        if (phase == BEFORE || phase == BEFORE_BLOCKING || phase == DEADLINE_BEFORE)
            continue;
        for (int i = 0; i < item_count; i++)
            if (items[i].cell.phase == (enum phase)phase && !waits(items[i].cell.operation))
                counts[items[i].story.where]++;
        printf("%s: %d slept in the call itself, %d in ppoll, %d not seen asleep\n", phase_names[phase], counts[IN_CALL], counts[IN_POLL],
               counts[AWAKE]);
    }
}

static int needed(void **arguments)
{
    int count = 0;
    for (int i = 0; i < item_count; i++) {
        struct oracle *oracle = oracle_of(&items[i].cell);
        if (!oracle->needed)
            arguments[count++] = oracle;
        oracle->needed = true;
    }
    return count;
}

/* The plain call against itself: what is left to chance is no cell. */
static void steady(void **arguments, int count)
{
    struct story *first = calloc((size_t)count, sizeof *first);
    int differing = 0;
    for (int i = 0; i < count; i++)
        first[i] = ((struct oracle *)arguments[i])->story;
    side_by_side(400, play_oracle, arguments, count);
    for (int i = 0; i < count; i++) {
        const struct oracle *oracle = arguments[i];
        const struct story *one = &first[i], *other = &oracle->story;
        bool same_next = !cell_tells_next(&oracle->cell) || !strcmp(one->next, other->next);
        if (one->valid && other->valid && !strcmp(one->outcome, other->outcome) && same_next)
            continue;
        differing++;
        printf("    %s on %s, %s, %s:\n        %s after %.1f ms [%s]%s\n        %s after %.1f ms [%s]%s\n", operation_names[oracle->cell.operation],
               oracle->cell.kind->name, event_names[oracle->cell.event], phase_names[oracle->cell.phase], one->outcome,
               (one->ended - one->happened) * 1e3, one->next, one->valid ? "" : " not as wanted", other->outcome,
               (other->ended - other->happened) * 1e3, other->next, other->valid ? "" : " not as wanted");
    }
    printf("%s the plain call agrees with itself: %d of %d scenes different\n", differing ? "not ok" : "ok", differing, count);
}

static void play_cells(int every, int at_once, bool only_steady)
{
    double begun = now();
    list(every);
    void **arguments = calloc((size_t)item_count, sizeof *arguments);
    int count = needed(arguments), scenes = count;
    side_by_side(at_once, play_oracle, arguments, count);
    if (only_steady) {
        steady(arguments, count);
        return;
    }
    for (int is_short = 0; is_short < 2; is_short++) {
        count = 0;
        for (int i = 0; i < item_count; i++)
            if ((items[i].cell.phase == SHORT) == is_short)
                arguments[count++] = &items[i];
        side_by_side(is_short ? 4 : at_once, play_item, arguments, count);
    }
    count = 0;
    for (int i = 0; i < item_count; i++)
        if (items[i].differs)
            arguments[count++] = &items[i];
    side_by_side(at_once < 16 ? at_once : 16, replay, arguments, count);
    int differing = report(), unplayed = 0;
    for (int i = 0; i < item_count; i++)
        unplayed += items[i].unplayed;
    tell_absent();
    tell_sleeps();
    printf("%s cells: %d, against %d scenes of the plain call, ", differing ? "not ok" : "ok", item_count, scenes);
    printf(differing ? "%d different" : "none different", differing);
    if (unplayed)
        printf(", %d that came too late each time", unplayed);
    printf(" (%.0f s; a plain sleep was %.1f ms late at worst)\n", now() - begun, clock_late(begun, now()) * 1e3);
}

int main(int argc, char **argv)
{
    int every = 1, at_once = 400;
    bool only_steady = false;
    only = getenv("LIBSOCK_ONLY");
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--every") && i + 1 < argc)
            every = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--at-once") && i + 1 < argc)
            at_once = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--only") && i + 1 < argc)
            only = argv[++i];
        else if (!strcmp(argv[i], "--nap") && i + 1 < argc)
            clock_nap = atof(argv[++i]);
        else if (!strcmp(argv[i], "--steady"))
            only_steady = true;
        else
            return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    call_setup();
    elsewhere_setup();
    clock_setup();
    forge_setup();
    play_cells(every < 1 ? 1 : every, at_once < 1 ? 1 : at_once > MOST_AT_ONCE ? MOST_AT_ONCE : at_once, only_steady);
    return 0;
}
