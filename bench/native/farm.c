/* A farm of any number of real servers in one process: two listeners on the wildcard address.
 * farm TCP_PORT HTTP_PORT: the first accepts and waits for the other side to end, the second answers a GET. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, DESCRIPTORS = 1 << 17 };
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 04:00:00 GMT\r\n"
    "Content-Type: text/html\r\nContent-Length: 3\r\nLast-Modified: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
    "Connection: close\r\nETag: \"637b4a1c-3\"\r\nAccept-Ranges: bytes\r\n\r\nok\n";
static char speaks_http[DESCRIPTORS];

static int listener(int epoll, int port)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN};
    int one = 1, sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(sock, (void *)&here, sizeof here) || listen(sock, 4096))
        exit(1);
    event.data.fd = sock;
    epoll_ctl(epoll, EPOLL_CTL_ADD, sock, &event);
    return sock;
}

static void admit(int epoll, int from, char http)
{
    for (int sock; (sock = accept4(from, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = sock};
        speaks_http[sock] = http;
        epoll_ctl(epoll, EPOLL_CTL_ADD, sock, &event);
    }
}

int main(int count, char **words)
{
    struct rlimit room = {DESCRIPTORS, DESCRIPTORS};
    struct epoll_event events[EVENTS];
    char heard[4096];
    if (count != 3)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_NOFILE, &room);
    int epoll = epoll_create1(0), tcp = listener(epoll, atoi(words[1])), http = listener(epoll, atoi(words[2]));
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int sock = events[i].data.fd;
            if (sock == tcp || sock == http) {
                admit(epoll, sock, sock == http);
                continue;
            }
            ssize_t size = recv(sock, heard, sizeof heard, 0);
            if (size > 0 && speaks_http[sock])
                send(sock, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL);
            if (size <= 0 || speaks_http[sock])
                close(sock);
        }
    }
}
