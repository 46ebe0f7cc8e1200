/* What a program lacks on a simulated Xtensa core, after the core's own first instructions: what goes around main, and
 * the system calls that the C library builds files on. There are two such libraries, picolibc and newlib, which ask for
 * the same by other names.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define NORETURN __attribute__((noreturn))

int main(void);
extern uint32_t xtensa_begin;
NORETURN void begin(void);
NORETURN void fault(uint32_t cause, uint32_t address);

enum { CALL_EXIT = 1, CALL_READ = 3, CALL_WRITE, CALL_OPEN, CALL_CLOSE, CALL_SEEK = 19 };

/* A request to the simulator: number and arguments in a2 to a5, the result in a2, an error number in a3. */
static int32_t request(int32_t number, int32_t first, int32_t second, int32_t third)
{
    register int32_t a2 __asm__("a2") = number;
    register int32_t a3 __asm__("a3") = first;
    register int32_t a4 __asm__("a4") = second;
    register int32_t a5 __asm__("a5") = third;
    __asm__ volatile("simcall" : "+a"(a2), "+a"(a3) : "a"(a4), "a"(a5) : "memory");
    return a2;
}

/* The simulator opens with the numbers of Linux. */
static int32_t open_file(const char *name, int flags)
{
    const int32_t create = (flags & O_CREAT) != 0 ? 0100 : 0;
    const int32_t truncate = (flags & O_TRUNC) != 0 ? 01000 : 0;
    return request(CALL_OPEN, (int32_t)(intptr_t)name, (flags & O_ACCMODE) | create | truncate, 0666);
}

static int32_t read_file(int file, void *to, size_t bytes)
{
    return request(CALL_READ, file, (int32_t)(intptr_t)to, (int32_t)bytes);
}

static int32_t write_file(int file, const void *from, size_t bytes)
{
    return request(CALL_WRITE, file, (int32_t)(intptr_t)from, (int32_t)bytes);
}

NORETURN void _exit(int status)
{
    for (;;) {
        (void)request(CALL_EXIT, status, 0, 0);
    }
}

uint32_t xtensa_begin;

/* Where the core's own first instructions lead. */
NORETURN void begin(void)
{
    int status;
    __asm__ volatile("rsr %0, ccount" : "=a"(xtensa_begin));
    status = main();
    fflush(stdout);
    _exit(status);
}

static void write_hex(char *to, uint32_t number)
{
    int k;
    for (k = 0; k < 8; ++k) {
        to[k] = "0123456789abcdef"[number >> (28 - 4 * k) & 15];
    }
}

/* Where an exception leads. */
NORETURN void fault(uint32_t cause, uint32_t address)
{
    char text[] = "Xtensa exception, cause 00000000, at 00000000\n";
    write_hex(text + 24, cause);
    write_hex(text + 37, address);
    (void)write_file(1, text, sizeof text - 1);
    _exit(1);
}

#ifdef __PICOLIBC__

int open(const char *name, int flags, ...)
{
    return open_file(name, flags);
}

int close(int file)
{
    return request(CALL_CLOSE, file, 0, 0);
}

ssize_t read(int file, void *to, size_t bytes)
{
    return read_file(file, to, bytes);
}

ssize_t write(int file, const void *from, size_t bytes)
{
    return write_file(file, from, bytes);
}

off_t lseek(int file, off_t offset, int whence)
{
    return request(CALL_SEEK, file, (int32_t)offset, whence);
}

static int put(char c, FILE *file)
{
    (void)file;
    return write_file(1, &c, 1) == 1 ? (unsigned char)c : EOF;
}

static FILE console = FDEV_SETUP_STREAM(put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdin = &console;
FILE *const stdout = &console;
FILE *const stderr = &console;

#else /* newlib */

#include <reent.h>

int _open_r(struct _reent *reent, const char *name, int flags, int mode)
{
    (void)reent;
    (void)mode;
    return open_file(name, flags);
}

int _close_r(struct _reent *reent, int file)
{
    (void)reent;
    return request(CALL_CLOSE, file, 0, 0);
}

_ssize_t _read_r(struct _reent *reent, int file, void *to, size_t bytes)
{
    (void)reent;
    return read_file(file, to, bytes);
}

_ssize_t _write_r(struct _reent *reent, int file, const void *from, size_t bytes)
{
    (void)reent;
    return write_file(file, from, bytes);
}

_off_t _lseek_r(struct _reent *reent, int file, _off_t offset, int whence)
{
    (void)reent;
    return request(CALL_SEEK, file, (int32_t)offset, whence);
}

int _fstat_r(struct _reent *reent, int file, struct stat *to)
{
    const struct stat nothing = {0};
    (void)reent;
    *to = nothing;
    to->st_mode = file < 3 ? S_IFCHR : S_IFREG;
    return 0;
}

int _isatty_r(struct _reent *reent, int file)
{
    (void)reent;
    return file < 3;
}

/* The heap lies where the linker's file says. */
void *_sbrk_r(struct _reent *reent, ptrdiff_t bytes)
{
    extern char __heap_start[];
    extern char __heap_end[];
    static char *end = __heap_start;
    char *const begin_of_these = end;
    (void)reent;
    if (bytes > __heap_end - end) {
        return (void *)-1;
    }
    end += bytes;
    return begin_of_these;
}

/* What `abort` asks for. */
int _kill_r(struct _reent *reent, int process, int number)
{
    (void)reent;
    (void)process;
    _exit(128 + number);
}

int _getpid_r(struct _reent *reent)
{
    (void)reent;
    return 1;
}

#endif
