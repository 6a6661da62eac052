/*
 * Lets User-Mode Linux 6.1 run on processors whose register state is larger than it knows (AMX: 11008 bytes).
 *
 * It reads and writes its processes' registers with ptrace and a buffer of 2696 bytes (AVX-512). The host's kernel
 * fills a short buffer but refuses to be given one (EFAULT, arch/x86/kernel/fpu/regset.c, xstateregs_set). Loaded
 * with LD_PRELOAD, this hands it the whole: what User-Mode Linux knows, and the initial state for the rest, which
 * no process inside can ever use. No headers, no libc but three functions: any C compiler will do.
 */
typedef unsigned long word;

extern long syscall(long number, ...);
extern int *__errno_location(void);

struct span {
    void *base;
    word length;
};

enum {
    SYS_PTRACE = 101,
    PEEK_FIRST = 1,
    PEEK_LAST = 3,
    GET_REGISTERS = 0x4204,
    SET_REGISTERS = 0x4205,
    EXTENDED_STATE = 0x202,
    BAD_ADDRESS = 14,
    ROOM_BYTES = 65536,
    PRESENT_WORD = 64,     /* XSTATE_BV, at byte 512 of the area */
    PRESENT_KNOWN = 0x3ff  /* x87 to PKRU: what fits in 2696 bytes */
};

static word room[ROOM_BYTES / sizeof(word)] __attribute__((aligned(64)));
static word whole_bytes; /* 0 until the host has refused once */

static long measure(long pid) {
    struct span all = {room, ROOM_BYTES};
    word i;
    if (syscall(SYS_PTRACE, GET_REGISTERS, pid, EXTENDED_STATE, &all) < 0)
        return -1;
    whole_bytes = all.length;
    for (i = 0; i < ROOM_BYTES / sizeof(word); i++)
        room[i] = 0;
    return 0;
}

static long set_whole(long pid, const struct span *given) {
    struct span all = {room, 0};
    const word *from = given->base;
    word i;
    if (!whole_bytes && measure(pid) < 0)
        return -1;
    for (i = 0; i < given->length / sizeof(word) && i < ROOM_BYTES / sizeof(word); i++)
        room[i] = from[i];
    room[PRESENT_WORD] &= PRESENT_KNOWN;
    all.length = whole_bytes;
    return syscall(SYS_PTRACE, SET_REGISTERS, pid, EXTENDED_STATE, &all);
}

long ptrace(long request, long pid, void *address, void *data) {
    long peeked, result;
    int sets_state = request == SET_REGISTERS && (long)address == EXTENDED_STATE;
    if (request >= PEEK_FIRST && request <= PEEK_LAST) {
        result = syscall(SYS_PTRACE, request, pid, address, &peeked);
        if (result < 0)
            return result;
        *__errno_location() = 0;
        return peeked;
    }
    if (sets_state && whole_bytes)
        return set_whole(pid, data);
    result = syscall(SYS_PTRACE, request, pid, address, data);
    if (result < 0 && sets_state && *__errno_location() == BAD_ADDRESS)
        return set_whole(pid, data);
    return result;
}
