/* Names in volumes: looking them up, listing, making, moving and removing them. */
#include "rules.h"

#include <dirent.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <utime.h>

OF(stat, SEE, (const char *path, struct stat *seen), (path, seen))
OF(stat64, SEE, (const char *path, struct stat64 *seen), (path, seen))
OF(lstat, SEE, (const char *path, struct stat *seen), (path, seen))
OF(lstat64, SEE, (const char *path, struct stat64 *seen), (path, seen))
OF(__xstat, SEE, (int version, const char *path, struct stat *seen), (version, path, seen))
OF(__xstat64, SEE, (int version, const char *path, struct stat64 *seen), (version, path, seen))
OF(__lxstat, SEE, (int version, const char *path, struct stat *seen), (version, path, seen))
OF(__lxstat64, SEE, (int version, const char *path, struct stat64 *seen), (version, path, seen))
IN(__fxstatat, SEE, (int version, int folder, const char *path, struct stat *seen, int flags),
   (version, folder, path, seen, flags))
IN(__fxstatat64, SEE, (int version, int folder, const char *path, struct stat64 *seen, int flags),
   (version, folder, path, seen, flags))
IN(fstatat, SEE, (int folder, const char *path, struct stat *seen, int flags), (folder, path, seen, flags))
IN(fstatat64, SEE, (int folder, const char *path, struct stat64 *seen, int flags), (folder, path, seen, flags))
IN(statx, SEE, (int folder, const char *path, int flags, unsigned mask, struct statx *seen),
   (folder, path, flags, mask, seen))
OF(statfs, SEE, (const char *path, struct statfs *seen), (path, seen))
OF(statfs64, SEE, (const char *path, struct statfs64 *seen), (path, seen))
OF(statvfs, SEE, (const char *path, struct statvfs *seen), (path, seen))
OF(statvfs64, SEE, (const char *path, struct statvfs64 *seen), (path, seen))
OF(access, SEE, (const char *path, int mode), (path, mode))
OF(euidaccess, SEE, (const char *path, int mode), (path, mode))
IN(faccessat, SEE, (int folder, const char *path, int mode, int flags), (folder, path, mode, flags))
AT(ssize_t, readlink, -1, AT_FDCWD, SEE, (const char *path, char *seen, size_t size), (path, seen, size))
AT(ssize_t, readlinkat, -1, folder, SEE, (int folder, const char *path, char *seen, size_t size),
   (folder, path, seen, size))
AT(ssize_t, listxattr, -1, AT_FDCWD, SEE, (const char *path, char *seen, size_t size), (path, seen, size))
AT(ssize_t, llistxattr, -1, AT_FDCWD, SEE, (const char *path, char *seen, size_t size), (path, seen, size))
AT(ssize_t, getxattr, -1, AT_FDCWD, SEE, (const char *path, const char *name, void *seen, size_t size),
   (path, name, seen, size))
AT(ssize_t, lgetxattr, -1, AT_FDCWD, SEE, (const char *path, const char *name, void *seen, size_t size),
   (path, name, seen, size))
AT(DIR *, opendir, NULL, AT_FDCWD, LIST, (const char *path), (path))
NOT(int, chdir, EACCES, inside(path), (const char *path), (path))

/* The C library resolves a path by itself, and gives its real place: shown again as one below /Volumes. */
char *realpath(const char *path, char *resolved) {
    char buffer[PATH_MAX], found[PATH_MAX];
    if (!(path = mapped(AT_FDCWD, path, SEE, buffer))) return NULL;
    if (!*buffer) return NEXT(char *, (const char *, char *))(path, resolved);
    if (!NEXT(char *, (const char *, char *))(path, found)) return NULL;
    if (!resolved) resolved = malloc(PATH_MAX);
    if (resolved) snprintf(resolved, PATH_MAX, SHOWN "%s", found + strlen(root));
    return resolved;
}
char *canonicalize_file_name(const char *path) { return realpath(path, NULL); }
char *__realpath_chk(const char *path, char *resolved, size_t size) { return size ? realpath(path, resolved) : NULL; }

OF(mkdir, MAKE, (const char *path, mode_t mode), (path, mode))
IN(mkdirat, MAKE, (int folder, const char *path, mode_t mode), (folder, path, mode))
OF(rmdir, WRITE, (const char *path), (path))
OF(unlink, WRITE, (const char *path), (path))
OF(remove, WRITE, (const char *path), (path))
IN(unlinkat, WRITE, (int folder, const char *path, int flags), (folder, path, flags))

/* Within a volume alone: another volume, or this machine's disk, is another file system. */
static int moved(int folder, const char *path, int to, const char *target, unsigned flags) {
    char buffer[PATH_MAX], other[PATH_MAX];
    if (!(path = mapped(folder, path, WRITE, buffer)) || !(target = mapped(to, target, WRITE, other))) return -1;
    size_t same = strlen(root ? root : "");
    for (int level = 0; (*buffer || *other) && level <= LEVELS; same++) {
        if (!*buffer || !*other || buffer[same] != other[same]) return refuse(EXDEV);
        level += buffer[same] == '/';
    }
    return syscall(SYS_renameat2, folder, path, to, target, flags);
}
int rename(const char *path, const char *target) { return moved(AT_FDCWD, path, AT_FDCWD, target, 0); }
int renameat(int folder, const char *path, int to, const char *target) { return moved(folder, path, to, target, 0); }
int renameat2(int folder, const char *path, int to, const char *target, unsigned flags) {
    return moved(folder, path, to, target, flags);
}

static int inside_at(int folder, const char *path) {
    char buffer[PATH_MAX];
    return path ? !mapped(folder, path, SEE, buffer) || *buffer : in_volume(folder);
}
#define NO_LINK(name, parameters, arguments) NOT(int, name, ENOSYS, inside(path) || inside(other), parameters, arguments)
NO_LINK(link, (const char *path, const char *other), (path, other))
NO_LINK(symlink, (const char *path, const char *other), (path, other))
NOT(int, linkat, ENOSYS, inside_at(folder, path) || inside_at(to, other),
    (int folder, const char *path, int to, const char *other, int flags), (folder, path, to, other, flags))
NOT(int, symlinkat, ENOSYS, inside_at(to, other), (const char *path, int to, const char *other), (path, to, other))
NOT(int, mkfifo, ENOSYS, inside(path), (const char *path, mode_t mode), (path, mode))

static int keeps(const char *path) { return keeps_mode() && inside(path); }
#define FIXED(name, condition, parameters, arguments) NOT(int, name, EPERM, condition, parameters, arguments)
/* Java's changes reach the file: they hurt nothing. */
int chmod(const char *path, mode_t mode) {
    char buffer[PATH_MAX];
    if (keeps(path)) return refuse(EPERM);
    return (path = mapped(AT_FDCWD, path, SEE, buffer)) ? NEXT(int, (const char *, mode_t))(path, mode) : -1;
}
int fchmodat(int folder, const char *path, mode_t mode, int flags) {
    char buffer[PATH_MAX];
    if (keeps_mode() && inside_at(folder, path)) return refuse(EPERM);
    path = mapped(folder, path, SEE, buffer);
    return path ? NEXT(int, (int, const char *, mode_t, int))(folder, path, mode, flags) : -1;
}
FIXED(fchmod, keeps_mode() && in_volume(fd), (int fd, mode_t mode), (fd, mode))
FIXED(chown, inside(path), (const char *path, uid_t user, gid_t group), (path, user, group))
FIXED(lchown, inside(path), (const char *path, uid_t user, gid_t group), (path, user, group))
FIXED(fchown, in_volume(fd), (int fd, uid_t user, gid_t group), (fd, user, group))
FIXED(utime, inside(path), (const char *path, const struct utimbuf *times), (path, times))
FIXED(utimes, inside(path), (const char *path, const struct timeval times[2]), (path, times))
FIXED(utimensat, inside_at(folder, path), (int folder, const char *path, const struct timespec times[2], int flags),
      (folder, path, times, flags))
FIXED(futimens, in_volume(fd), (int fd, const struct timespec times[2]), (fd, times))
FIXED(setxattr, inside(path), (const char *path, const char *name, const void *value, size_t size, int flags),
      (path, name, value, size, flags))
FIXED(fsetxattr, in_volume(fd), (int fd, const char *name, const void *value, size_t size, int flags),
      (fd, name, value, size, flags))
int truncate(const char *path, off_t size) {
    char buffer[PATH_MAX];
    if (!(path = mapped(AT_FDCWD, path, WRITE, buffer))) return -1;
    return *buffer && size ? refuse(EOPNOTSUPP) : NEXT(int, (const char *, off_t))(path, size);
}
int truncate64(const char *path, off64_t size) { return truncate(path, size); }
