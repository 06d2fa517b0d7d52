/* This computer as a board: the console is one TCP connection, the counter counts nanoseconds.
 * Prints the port it chose on stdout and waits for the host. POSIX only. */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tm_port.h"

#define NANOSECONDS 1000000000u
#define BUFFER_BYTES 4096
#define READ_MILLISECONDS 100

static int console = -1;
static char sending[BUFFER_BYTES];
static uint32_t sending_count;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void flush_console(void)
{
    uint32_t sent = 0;
    while (sent < sending_count) {
        ssize_t count = send(console, sending + sent, sending_count - sent, MSG_NOSIGNAL);
        if (count <= 0) {
            _exit(0); /* the host has gone; this may be exit's own handler */
        }
        sent += (uint32_t)count;
    }
    sending_count = 0;
}

struct tm_clock tm_clock_init(void)
{
    return (struct tm_clock){NANOSECONDS, "ok"};
}

void tm_console_init(uint32_t clock_hz)
{
    (void)clock_hz;
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || bind(server, (struct sockaddr *)&address, size) != 0 ||
        listen(server, 1) != 0 || getsockname(server, (struct sockaddr *)&address, &size) != 0) {
        fail("listen on 127.0.0.1");
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    console = accept(server, NULL, NULL);
    if (console < 0) {
        fail("accept");
    }
    close(server);
    int on = 1;
    setsockopt(console, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    atexit(flush_console); /* main() may just return, as on a board */
}

void tm_console_write(const char *bytes, uint32_t count)
{
    while (count > 0) {
        uint32_t room = (uint32_t)sizeof sending - sending_count;
        uint32_t part = count < room ? count : room;
        memcpy(sending + sending_count, bytes, part);
        sending_count += part;
        bytes += part;
        count -= part;
        if (sending_count == sizeof sending) {
            flush_console();
        }
    }
}

/* Sends what is waiting to be sent before it waits, up to 0.1 s, for something to read. */
int tm_console_read(void)
{
    static unsigned char received[BUFFER_BYTES];
    static ssize_t count, next;
    if (next == count) {
        flush_console();
        struct pollfd ready = {.fd = console, .events = POLLIN};
        if (poll(&ready, 1, READ_MILLISECONDS) <= 0) {
            return -1;
        }
        count = recv(console, received, sizeof received, 0);
        next = 0;
        if (count <= 0) {
            exit(0); /* the host has gone */
        }
    }
    return received[next++];
}

void tm_trigger_init(void)
{
}

/* What is said before an inference is heard even if that does not end. */
void tm_trigger_set(int high)
{
    if (high) {
        flush_console();
    }
}

void tm_trigger_listen(void)
{
}

int tm_trigger_read(void)
{
    return 0;
}

void tm_counter_init(uint32_t clock_hz)
{
    (void)clock_hz;
}

uint64_t tm_counter_read(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

const char *tm_counter_name(void)
{
    return "clock_ns";
}

uint32_t tm_counter_hz(void)
{
    return NANOSECONDS;
}

/* A process's stack says nothing about a board's: 0 is "not measured". */
uint32_t tm_stack_size(void)
{
    return 0;
}

uint32_t tm_stack_peak(void)
{
    return 0;
}

int tm_arena_intact(void)
{
    return -1; /* no linker script, so no guard words: AddressSanitizer watches here */
}

void tm_exit(int code)
{
    flush_console();
    exit(code);
}
