/* A cell played once, by the plain call or by libsock. */
#include "cells.h"

#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <sock.h>

const char *const phase_names[] = {
    [IN_KERNEL] = "in the kernel's wait", [IN_TAIL] = "in the tail", [SIGNALLED] = "after a signal", [SHORT] = "with a short timeout",
    [BLOCKING] = "blocking", [BLOCKING_SIGNALLED] = "blocking, after a signal", [BEFORE] = "beforehand", [BEFORE_BLOCKING] = "beforehand, blocking",
    [DEADLINE] = "with a deadline", [DEADLINE_SIGNALLED] = "with a deadline, after a signal", [DEADLINE_BEFORE] = "with a deadline, beforehand",
};

/* The timeouts of the phases. The kernel's share of IN_TAIL's ends after 1.6 to 1.66 seconds, whatever the timer's rate; a
   short one is too short for any share. */
double phase_timeout(enum phase phase)
{
    switch (phase) {
    case IN_TAIL: return 1.8;
    case SHORT: return 3 * clock_tick();
    case BEFORE:
    case DEADLINE_BEFORE: return 0.2;
    case BLOCKING:
    case BLOCKING_SIGNALLED:
    case BEFORE_BLOCKING: return INFINITY;
    default: return 0.9;
    }
}

bool has_timeout(enum phase phase) { return isfinite(phase_timeout(phase)); }

/* When it happens, after the beginning. */
double phase_moment(enum phase phase)
{
    switch (phase) {
    case IN_TAIL: return 1.69;
    case SHORT: return 0.3 * phase_timeout(SHORT);
    case SIGNALLED:
    case DEADLINE_SIGNALLED:
    case BLOCKING_SIGNALLED: return 0.25;
    default: return 0.1;
    }
}

static bool is_before(enum phase phase) { return phase == BEFORE || phase == BEFORE_BLOCKING || phase == DEADLINE_BEFORE; }
static bool is_blocking(enum phase phase) { return phase == BLOCKING || phase == BLOCKING_SIGNALLED || phase == BEFORE_BLOCKING; }
static bool is_signalled(enum phase phase) { return phase == SIGNALLED || phase == BLOCKING_SIGNALLED || phase == DEADLINE_SIGNALLED; }

enum player cell_player(const struct cell *cell)
{
    return cell->phase >= DEADLINE ? UNTIL : LIBSOCK;
}
bool changes_mode(enum event event) { return event >= THREAD_LONGER; }

static bool happens_to(const struct kind *kind, enum operation operation, enum event event, bool asleep)
{
    bool tcp = kind->traits & TCP;
    bool connection = kind->traits & (LISTENS | TWINS);
    switch (event) {
    case HALF:
        return operation == RECVALL;
    case URGENT:
        return receives(operation) && tcp && kind->protocol == 0;
    case OWN_RD:
    case OWN_WR:
    case OWN_RDWR:
        return kind->traits & SHUTS;
    case PEER_RD:
    case PEER_WR:
    case PEER_RDWR:
        /* What comes after it is answered by a reset, and of a record there is always more. */
        if (kind->traits & TLS && sends(operation) && event == PEER_RDWR)
            return false;
        return kind->traits & SHUTS && operation != ACCEPT && (operation != CONNECT || (!tcp && connection));
    case CLOSED:
        /* A raw socket would be told by ICMP, now and then. */
        return kind->type != SOCK_RAW && operation != ACCEPT && (operation != CONNECT || (!tcp && connection));
    case RESET:
        return operation == ACCEPT || (operation != CONNECT && connection);
    case REFUSED:
        if (operation == CONNECT)
            return tcp;
        return operation != ACCEPT && kind->traits & DATAGRAM;
    case NOTED:
        return receives(operation) && kind->protocol == 0 && (tcp || kind->traits & DATAGRAM);
    case TAKEN:
        /* poll(2) and a peek may see it first. */
        if (kind->traits & TLS && receives(operation))
            return false; /* who waits has it locked */
        if (kind->domain == AF_VSOCK && receives(operation))
            return false; /* a worker delivers, to whom it may */
        return asleep && !waits(operation) && operation != PEEK && (operation == CONNECT ? !tcp : !(sends(operation) && kind->traits & (STREAM | SLUGGISH)));
    case CORRUPT:
    case CORRUPT_READY:
        /* On a socket with O_NONBLOCK poll(2) takes them for data, and a mode may be kept so. */
        return asleep && receives(operation) && !waits(operation) && kind->traits & DATAGRAM && !forge_impossible();
    default:
        return !changes_mode(event) || asleep;
    }
}

static bool is_own_end(enum event event) { return event >= OWN_RD && event <= OWN_RDWR; }
static bool is_peer_end(enum event event) { return event == PEER_WR || event == PEER_RDWR || event == CLOSED || event == RESET; }

/* Where a plain wait ends by what nobody else is told of: poll(2) says nothing, and an attempt says that it would wait. A
   blocking call is the kernel's own, and ends. */
static bool is_untold(const struct kind *kind, enum operation operation, enum event event)
{
    if (waits(operation))
        return false;
    if (kind->protocol == IPPROTO_SCTP)
        return operation == ACCEPT ? is_own_end(event) : receives(operation) ? is_own_end(event) && event != OWN_RD : is_peer_end(event);
    /* A connection of vsock that was refused while nobody waited in the call remains "under way". */
    if (kind->domain == AF_VSOCK && operation == CONNECT)
        return event == CLOSED;
    return kind->domain == AF_TIPC && receives(operation) && event == OWN_RDWR;
}

bool cell_tells_next(const struct cell *cell)
{
    bool ends = is_own_end(cell->event) || is_peer_end(cell->event);
    return !(cell->kind->traits & TLS && sends(cell->operation) && ends);
}

bool cell_exists(const struct cell *cell)
{
    const struct kind *kind = cell->kind;
    bool asleep = !is_before(cell->phase), connection = kind->traits & LISTENS;
    enum operation operation = cell->operation;
    if (operation == ACCEPT && !connection)
        return false;
    if (operation == CONNECT && (kind->traits & TWINS || (asleep && !(kind->traits & TCP) && !(kind->domain == AF_UNIX && connection))))
        return false;
    if (operation == CONNECT && asleep && kind->traits & TCP && forge_impossible())
        return false;
    if (sends(operation) && asleep && !(kind->traits & FILLS))
        return false;
    if (operation == RECVALL && !(kind->traits & STREAM))
        return false;
    if (operation == SENDTO && kind->traits & STREAM && kind->domain != AF_INET)
        return false; /* as send */
    /* poll(2) calls netlink ready whatever its peer has room for. */
    if (operation == WAIT_OUT && kind->domain == AF_NETLINK)
        return false;
    /* SCTP tells of room by a timer, of a second and more. */
    if (sends(operation) && kind->protocol == IPPROTO_SCTP && (cell->event == READY || changes_mode(cell->event)))
        return false;
    /* By then it takes longer to be told of room than the tail is long. */
    if (cell->phase == IN_TAIL && sends(operation) && kind->traits & SLUGGISH && (cell->event == READY || changes_mode(cell->event)))
        return false;
    /* Beforehand, to be ready and nothing are the same where nothing is in the way. */
    if (!asleep && cell->event == READY && (sends(operation) || operation == CONNECT))
        return false;
    /* sock_wait is not of a mode, and always in ppoll. */
    if (waits(operation) && (changes_mode(cell->event) || cell->phase == IN_TAIL || cell->event == URGENT))
        return false;
    if (changes_mode(cell->event)) {
        if (cell->phase == SHORT || ((cell->event == LONGER || cell->event == SHORTER) && (!has_timeout(cell->phase) || cell->phase >= DEADLINE)))
            return false;
    }
    if (!has_timeout(cell->phase) && cell->event == NOTHING && asleep)
        return false;
    if (!is_blocking(cell->phase) && is_untold(kind, operation, cell->event))
        return false;
    return happens_to(kind, operation, cell->event, asleep);
}

struct cell cell_oracle(const struct cell *cell)
{
    struct cell oracle = *cell;
    oracle.phase = is_before(cell->phase) ? BEFORE_BLOCKING : is_signalled(cell->phase) ? BLOCKING_SIGNALLED : BLOCKING;
    if (cell->event == LONGER || cell->event == SHORTER)
        oracle.event = NOTHING;
    else if (changes_mode(cell->event))
        oracle.event = READY;
    return oracle;
}

/* How long it may take a plain call to come back after what ends it: TCP may have to tell its peer of room. */
static const double PATIENCE = 0.3;

/* Waits until the call sleeps. */
static enum sleep fall_asleep(struct call *call, double limit, double pause)
{
    enum sleep where = AWAKE;
    for (double end = now() + limit; (where = call_asleep(call)) == AWAKE && !call_over(call, 0) && now() < end;)
        sleep_until(now() + pause);
    return where;
}

static void go_on(const struct cell *cell, enum player player, struct scene *scene, struct call *call, struct story *story)
{
    bool is_short = cell->phase == SHORT;
    double timeout = phase_timeout(cell->phase), begun = now();
    story->where = fall_asleep(call, 2, is_short ? 0 : 0.001);
    if (is_signalled(cell->phase) && !call_over(call, 0)) {
        sleep_until(begun + 0.04);
        call_signal(call);
        sleep_until(now() + 0.004);
        story->where = fall_asleep(call, 2, 0.001);
    }
    double moment = begun + phase_moment(cell->phase);
    call_over(call, moment);
    story->premature = call_over(call, 0);
    enum sleep where = fall_asleep(call, is_short ? 0 : 0.005, 0.0001);
    /* The kernel's timer may be late too. */
    while (cell->phase == IN_TAIL && player == LIBSOCK && where == IN_CALL && now() < begun + timeout - 0.06 && !call_over(call, now() + 0.002))
        where = fall_asleep(call, 0.002, 0.0001);
    story->where = where == AWAKE ? story->where : where;
    if (player != PLAIN && scene_change_mode(scene, cell->event))
        sleep_until(now() + 0.03);
    story->happened = now();
    if (player == LIBSOCK && (cell->event == LONGER || cell->event == SHORTER))
        must(sock_settimeout(scene->self, cell->event == LONGER ? timeout + 0.3 : timeout - 0.3), "sock_settimeout");
    if (cell->event != NOTHING)
        story->valid = scene_happen(scene, cell->event);
    story->denied = scene->denied;
}

void play(const struct cell *cell, enum player player, struct story *story)
{
    struct scene scene;
    double timeout = phase_timeout(cell->phase);
    *story = (struct story){.valid = true};
    scene_set(&scene, cell->kind, cell->operation, !is_before(cell->phase));
    if (player == LIBSOCK)
        must(sock_settimeout(scene.self, timeout), "sock_settimeout");
    if (player == UNTIL) /* which obeys no mode */
        must(sock_setblocking(scene.self, cell->phase != DEADLINE_SIGNALLED), "sock_setblocking");
    if (is_before(cell->phase)) {
        story->valid = scene_happen(&scene, cell->event);
        sleep_until(now() + 0.01);
        story->happened = now();
    }
    struct call *call = call_begin(cell->operation, player, scene.self, &scene.to, timeout);
    if (!is_before(cell->phase))
        go_on(cell, player, &scene, call, story);

    double patience = (is_before(cell->phase) ? now() : story->happened) + PATIENCE;
    if (player != PLAIN && isfinite(timeout))
        patience = story->happened + timeout + (cell->event == LONGER ? 0.3 : 0) + 1;
    if (cell->event == CORRUPT) {
        double gap = player != PLAIN && isfinite(timeout) ? timeout / 9 : 0.06;
        for (double next = now() + gap; next < patience && !call_over(call, next); next += gap)
            if (scene.peer >= 0)
                scene_happen(&scene, CORRUPT);
    }
    story->over = call_over(call, patience);
    if (!story->over && !call_rescue(call)) {
        /* Nothing ends it: its thread and its sockets stay. */
        snprintf(story->outcome, sizeof story->outcome, "goes on for ever");
        return;
    }
    call_over(call, now() + 3600);
    story->began = call_began(call);
    story->ended = call_ended(call);
    story->busy = call_busy(call);
    if (story->over)
        call_outcome(call, story->outcome, sizeof story->outcome);
    else
        snprintf(story->outcome, sizeof story->outcome, "sleeps on");
    double settled = story->ended + 0.01;
    sleep_until(settled);
    story->moved = call_moved(call);
    next_calls(&scene, story->moved, call_descriptor(call), story->next, sizeof story->next);
    call_free(call);
    scene_strike(&scene);
}
