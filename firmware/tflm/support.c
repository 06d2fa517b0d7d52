/* What TFLite-Micro and the C++ compiler expect of a system: a log, an end, and no heap to speak
 * of. The definitions here come before those of TFLM's archive, newlib's nosys and libstdc++. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "tm_port.h"

void tm_tflm_stop(const char *why);

/* Where the text of a message goes: the console, or a buffer of `room` bytes. */
struct text {
    char *buffer;
    size_t room;
    size_t count;
};

static void put(struct text *text, char c)
{
    if (text->buffer == NULL) {
        tm_console_write(&c, 1);
    } else if (text->count + 1 < text->room) {
        text->buffer[text->count] = c;
    }
    text->count++;
}

static void put_string(struct text *text, const char *string)
{
    for (string = string != NULL ? string : "(null)"; *string != '\0'; string++) {
        put(text, *string);
    }
}

static void put_number(struct text *text, uint32_t value, uint32_t base)
{
    char digits[11];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put_string(text, at);
}

static void put_signed(struct text *text, int32_t value)
{
    if (value < 0) {
        put(text, '-');
    }
    put_number(text, value < 0 ? -(uint32_t)value : (uint32_t)value, 10);
}

/* Widths and precisions are skipped, 64-bit numbers lose their upper half, and floats are not
 * printed: newlib's printf would cost more flash than a small model. */
static void put_argument(struct text *text, char kind, int wide, va_list *args)
{
    uint32_t value = 0;
    if (kind == 'd' || kind == 'i' || kind == 'u' || kind == 'x' || kind == 'X' || kind == 'c') {
        value = wide ? (uint32_t)va_arg(*args, uint64_t) : va_arg(*args, uint32_t);
    }
    switch (kind) {
    case 'd':
    case 'i':
        put_signed(text, (int32_t)value);
        break;
    case 'u':
        put_number(text, value, 10);
        break;
    case 'x':
    case 'X':
        put_number(text, value, 16);
        break;
    case 'c':
        put(text, (char)value);
        break;
    case 'p':
        put_string(text, "0x");
        put_number(text, (uint32_t)(uintptr_t)va_arg(*args, void *), 16);
        break;
    case 's':
        put_string(text, va_arg(*args, const char *));
        break;
    case 'f':
    case 'g':
    case 'e':
        (void)va_arg(*args, double);
        put_string(text, "(float)");
        break;
    default:
        put(text, kind);
    }
}

static void put_formatted(struct text *text, const char *format, va_list *args)
{
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(text, *format);
            continue;
        }
        int longs = 0;
        for (format++; *format != '\0'; format++) {
            longs += *format == 'l' ? 1 : *format == 'j' ? 2 : 0;
            if ((*format >= 'A' && *format <= 'Z') ||
                (*format >= 'a' && *format <= 'z' && *format != 'h' && *format != 'j' &&
                 *format != 'l' && *format != 't' && *format != 'z') ||
                *format == '%') {
                break;
            }
        }
        if (*format == '\0') {
            return;
        }
        put_argument(text, *format, longs > 1, args);
    }
}

/* TFLM's debug_log.h. */
void DebugLog(const char *format, va_list args);
void DebugLog(const char *format, va_list args)
{
    struct text console = {NULL, 0, 0};
    va_list copy;
    va_copy(copy, args);
    put_formatted(&console, format, &copy);
    va_end(copy);
}

int DebugVsnprintf(char *buffer, size_t room, const char *format, va_list args);
int DebugVsnprintf(char *buffer, size_t room, const char *format, va_list args)
{
    struct text text = {buffer, room, 0};
    va_list copy;
    va_copy(copy, args);
    put_formatted(&text, format, &copy);
    va_end(copy);
    if (room > 0) {
        buffer[text.count < room ? text.count : room - 1] = '\0';
    }
    return (int)text.count;
}

/* One line that the arena search reads: what the interpreter has put where. */
void tm_tflm_report(uint32_t arena, uint32_t persistent, uint32_t head);
void tm_tflm_report(uint32_t arena, uint32_t persistent, uint32_t head)
{
    struct text console = {NULL, 0, 0};
    put_string(&console, "\ntflm arena=");
    put_number(&console, arena, 10);
    put_string(&console, " persistent=");
    put_number(&console, persistent, 10);
    put_string(&console, " head=");
    put_number(&console, head, 10);
    put(&console, '\n');
}

void tm_tflm_stop(const char *why)
{
    struct text console = {NULL, 0, 0};
    put_string(&console, "\ntflm stopped: ");
    put_string(&console, why);
    put(&console, '\n');
    tm_exit(1);
    for (;;) {
    }
}

/* TFLITE_DCHECK and TFLITE_ABORT end here. */
void abort(void);
void abort(void)
{
    tm_tflm_stop("a check inside TFLite-Micro failed");
    for (;;) {
    }
}

/* newlib's own would bring in printf and the heap. */
void __assert_func(const char *file, int line, const char *function, const char *condition);
void __assert_func(const char *file, int line, const char *function, const char *condition)
{
    struct text console = {NULL, 0, 0};
    put_string(&console, function != NULL ? function : file);
    put_string(&console, " line ");
    put_signed(&console, line);
    put_string(&console, ": ");
    put_string(&console, condition);
    abort();
}

void _exit(int code)
{
    (void)code;
    tm_tflm_stop("the program ended");
    for (;;) {
    }
}

/* Destructors and pure virtual calls, which never come to pass, would bring in libstdc++'s own
 * with the heap and the unwinder behind them. These are operator delete's mangled names. */
void _ZdlPv(void *pointer);
void _ZdlPv(void *pointer)
{
    (void)pointer;
}

void _ZdlPvj(void *pointer, unsigned int size);
void _ZdlPvj(void *pointer, unsigned int size)
{
    (void)pointer;
    (void)size;
}

void __cxa_pure_virtual(void);
void __cxa_pure_virtual(void)
{
    tm_tflm_stop("a pure virtual function was called");
}

int __cxa_atexit(void (*destroy)(void *), void *object, void *library);
int __cxa_atexit(void (*destroy)(void *), void *object, void *library)
{
    (void)destroy;
    (void)object;
    (void)library;
    return 0;
}

void *__dso_handle = NULL;

/* newlib's system calls. The heap is what lies behind the statics, up to the end of RAM. */
extern char end[], __ram_end[];

void *_sbrk(ptrdiff_t step);
void *_sbrk(ptrdiff_t step)
{
    static char *at = end;
    if (step > __ram_end - at || step < end - at) {
        errno = ENOMEM;
        return (void *)-1;
    }
    char *before = at;
    at += step;
    return before;
}

int _write(int file, const char *bytes, int count);
int _write(int file, const char *bytes, int count)
{
    (void)file;
    tm_console_write(bytes, (uint32_t)count);
    return count;
}

int _read(int file, char *bytes, int count);
int _read(int file, char *bytes, int count)
{
    (void)file;
    (void)bytes;
    (void)count;
    return 0;
}

int _close(int file);
int _close(int file)
{
    (void)file;
    return -1;
}

int _isatty(int file);
int _isatty(int file)
{
    (void)file;
    return 1;
}

int _lseek(int file, int offset, int whence);
int _lseek(int file, int offset, int whence)
{
    (void)file;
    (void)offset;
    (void)whence;
    return 0;
}

struct stat;
int _fstat(int file, struct stat *status);
int _fstat(int file, struct stat *status)
{
    (void)file;
    (void)status;
    errno = EINVAL;
    return -1;
}

int _getpid(void);
int _getpid(void)
{
    return 1;
}

int _kill(int process, int signal);
int _kill(int process, int signal)
{
    (void)process;
    (void)signal;
    errno = EINVAL;
    return -1;
}
