/* Files of volumes: opening, writing, resizing, mapping and locking them. */
#include "rules.h"

#include <stdarg.h>
#include <sys/uio.h>

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    if (!(path = mapped(folder, path, writes ? WRITE : SEE, buffer))) return -1;
    if (*buffer && (flags & O_APPEND || (flags & O_TMPFILE) == O_TMPFILE)) return refuse(EOPNOTSUPP);
    return syscall(SYS_openat, folder, path, flags, mode);
}

#define OPEN(name, folder, parameters)                                     \
    int name parameters {                                                  \
        va_list more;                                                      \
        va_start(more, flags);                                             \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                      \
        return opened(folder, path, flags, mode);                          \
    }
OPEN(open, AT_FDCWD, (const char *path, int flags, ...))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...))
OPEN(openat, folder, (int folder, const char *path, int flags, ...))
OPEN(openat64, folder, (int folder, const char *path, int flags, ...))
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }
int __openat64_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }

static enum need needed(const char *mode) { return *mode == 'r' && !strchr(mode, '+') ? SEE : WRITE; }
static int updates(const char *path, const char *mode) {
    return (*mode == 'a' || (*mode == 'r' && strchr(mode, '+'))) && inside(path);
}
#define STREAM(name, parameters, arguments)                                                             \
    FILE *name parameters {                                                                             \
        char buffer[PATH_MAX];                                                                          \
        if (path && updates(path, mode)) return (FILE *)(refuse(EOPNOTSUPP) + 1);                       \
        path = mapped(AT_FDCWD, path, needed(mode), buffer);                                            \
        return path || !*buffer ? NEXT(FILE *, parameters) arguments : NULL;                            \
    }
STREAM(fopen, (const char *path, const char *mode), (path, mode))
STREAM(fopen64, (const char *path, const char *mode), (path, mode))
STREAM(freopen, (const char *path, const char *mode, FILE *file), (path, mode, file))
STREAM(freopen64, (const char *path, const char *mode, FILE *file), (path, mode, file))

/* A stream that writes may only seek to where it is, as NumPy does. */
static int seeks(FILE *file, off_t place, int from) {
    struct stat now;
    if (!writes_volume(file)) return 0;
    if (from == SEEK_CUR) return place != 0;
    if (from == SEEK_END) place += fflush(file) || fstat(fileno(file), &now) ? -1 : now.st_size;
    return place != ftello(file);
}
NOT(int, fseek, EOPNOTSUPP, seeks(file, place, from), (FILE *file, long place, int from), (file, place, from))
NOT(int, fseeko, EOPNOTSUPP, seeks(file, place, from), (FILE *file, off_t place, int from), (file, place, from))
NOT(int, fseeko64, EOPNOTSUPP, seeks(file, place, from), (FILE *file, off64_t place, int from), (file, place, from))
NOT(int, fsetpos, EOPNOTSUPP, writes_volume(file), (FILE *file, const fpos_t *place), (file, place))
NOT(int, fsetpos64, EOPNOTSUPP, writes_volume(file), (FILE *file, const fpos64_t *place), (file, place))

#define WRITES(name, fd, place, parameters, arguments) \
    NOT(ssize_t, name, EOPNOTSUPP, random_write(fd, place), parameters, arguments)
WRITES(write, fd, -1, (int fd, const void *from, size_t size), (fd, from, size))
WRITES(writev, fd, -1, (int fd, const struct iovec *from, int count), (fd, from, count))
WRITES(pwrite, fd, place, (int fd, const void *from, size_t size, off_t place), (fd, from, size, place))
WRITES(pwrite64, fd, place, (int fd, const void *from, size_t size, off64_t place), (fd, from, size, place))
WRITES(pwritev, fd, place, (int fd, const struct iovec *from, int count, off_t place), (fd, from, count, place))
WRITES(pwritev64, fd, place, (int fd, const struct iovec *from, int count, off64_t place), (fd, from, count, place))
WRITES(sendfile, to, -1, (int to, int from, off_t *place, size_t size), (to, from, place, size))
WRITES(sendfile64, to, -1, (int to, int from, off64_t *place, size_t size), (to, from, place, size))
WRITES(copy_file_range, to, (end ? *end : -1),
       (int from, off64_t *start, int to, off64_t *end, size_t size, unsigned flags), (from, start, to, end, size, flags))

static int resizes(int fd, off_t size) { return size && random_write(fd, size); }
NOT(int, ftruncate, EOPNOTSUPP, resizes(fd, size), (int fd, off_t size), (fd, size))
NOT(int, ftruncate64, EOPNOTSUPP, resizes(fd, size), (int fd, off64_t size), (fd, size))
NOT(int, fallocate, EOPNOTSUPP, in_volume(fd), (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
NOT(int, fallocate64, EOPNOTSUPP, in_volume(fd), (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size))
int posix_fallocate(int fd, off_t at, off_t size) {
    return in_volume(fd) ? EOPNOTSUPP : NEXT(int, (int, off_t, off_t))(fd, at, size);
}
int posix_fallocate64(int fd, off64_t at, off64_t size) { return posix_fallocate(fd, at, size); }
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t from) {
    return (void *)(in_volume(fd) ? refuse(ENODEV) : syscall(SYS_mmap, at, size, protection, flags, fd, from));
}
void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t from) {
    return mmap(at, size, protection, flags, fd, from);
}
NOT(int, flock, ENOLCK, in_volume(fd), (int fd, int how), (fd, how))
NOT(int, lockf, ENOLCK, in_volume(fd), (int fd, int how, off_t size), (fd, how, size))
NOT(int, lockf64, ENOLCK, in_volume(fd), (int fd, int how, off64_t size), (fd, how, size))
#define CONTROL(name)                                                                       \
    int name(int fd, int what, ...) {                                                       \
        va_list more;                                                                       \
        va_start(more, what);                                                               \
        void *value = va_arg(more, void *);                                                 \
        va_end(more);                                                                       \
        int locks = what == F_SETLK || what == F_SETLKW || what == F_OFD_SETLK || what == F_OFD_SETLKW; \
        return locks && in_volume(fd) ? refuse(ENOLCK) : NEXT(int, (int, int, ...))(fd, what, value); \
    }
CONTROL(fcntl)
CONTROL(fcntl64)
