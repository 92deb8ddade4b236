/* Databricks' volumes for the processes of a simulated job: LD_PRELOAD puts this library before the C library, so that
   it holds for Python, Java and native writers alike, without root and without a mount.

   `/Volumes/CATALOG/SCHEMA/VOLUME/...` leads to the folder of that name in $SIMULATED_VOLUMES, and what Databricks' FUSE
   doesn't support is refused. Sources: "Volumes limitations" on Databricks' page "Work with files" (no append, no random
   writes, no sparse files); kb.databricks.com/dbfs/errno95-operation-not-supported (EOPNOTSUPP); delta-rs issue 2540
   (links: ENOSYS). Nothing documents mapping, locks and attributes: that they are refused is the careful assumption.

   $SIMULATED_VOLUME_RULES says what the run may do, such as "/main/training/raw=r,/main/training/models=rw,". Paths
   relative to a descriptor are followed; those relative to the working folder aren't, so it can't be in a volume. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHOWN "/Volumes"
#define LEVELS 3
enum need { SEE, LIST, WRITE, MAKE };
static const char *root, *rules;

__attribute__((constructor)) static void begin(void) {
    root = getenv("SIMULATED_VOLUMES");
    rules = getenv("SIMULATED_VOLUME_RULES");
    if (root) unsetenv("SPARK_LOCAL_DIRS"); /* nothing says that Databricks sets it */
}

/* Whether the run may do what `need` says with `inner`, a path below /Volumes that lies at `real`; sets errno. */
static int allowed(const char *inner, const char *real, enum need need) {
    const char *end = inner;
    int level = 0;
    for (; *end; end++)
        if (*end == '/' && level++ == LEVELS) break;
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%.*s=", (int)(end - inner), inner);
    const char *rule = rules && level >= LEVELS ? strstr(rules, name) : NULL;
    const char *mode = rule ? rule + strlen(name) : "";
    int there = !syscall(SYS_faccessat, AT_FDCWD, real, F_OK), below = end[strspn(end, "/")];
    errno = need == MAKE && there ? EEXIST : !rule && !there ? ENOENT : EACCES;
    if (!rule) return need == SEE; /* /Volumes itself, a catalog, a schema, or no such volume */
    return *mode == 'r' && (need < WRITE || (below && mode[1] == 'w'));
}

/* The path of a descriptor below /Volumes, or NULL if it is elsewhere. */
static const char *inner_of(int fd, char *buffer) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long size = root && fd >= 0 ? syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX - 1) : -1;
    if (size < 0) return NULL;
    buffer[size] = 0;
    size_t own = strlen(root);
    return !strncmp(buffer, root, own) && buffer[own] == '/' ? buffer + own : NULL;
}

static int in_volume(int fd) {
    char buffer[PATH_MAX];
    int before = errno, found = inner_of(fd, buffer) != NULL;
    errno = before;
    return found;
}

/* The path behind `path`, or NULL with errno if the run may not do it. It is in `buffer` if it is in a volume. */
static const char *mapped(int folder, const char *path, enum need need, char *buffer) {
    char around[PATH_MAX];
    const char *parent = NULL, *rest = NULL;
    size_t shown = strlen(SHOWN);
    int before = errno;
    *buffer = 0;
    if (!root || !path) return path;
    if (!strncmp(path, SHOWN, shown) && (!path[shown] || path[shown] == '/')) rest = path + shown;
    else if (*path && *path != '/' && folder != AT_FDCWD && (parent = inner_of(folder, around))) rest = path;
    errno = before;
    if (!rest) return path;
    snprintf(buffer, PATH_MAX, "%s%s%s%s", root, parent ? parent : "", parent ? "/" : "", rest);
    if (!allowed(buffer + strlen(root), buffer, need)) return NULL;
    errno = before;
    return buffer;
}

static inline int inside(const char *path) {
    char buffer[PATH_MAX];
    return !mapped(AT_FDCWD, path, SEE, buffer) || *buffer;
}

/* Whether a write at `place` (-1: where the file stands) is refused: it isn't at the end of a volume's file. */
static inline int random_write(int fd, off_t place) {
    struct stat now;
    int before = errno, refused = 0;
    if (root && !syscall(SYS_newfstatat, fd, "", &now, AT_EMPTY_PATH) && S_ISREG(now.st_mode) && in_volume(fd))
        refused = (place < 0 ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : place) != now.st_size;
    errno = before;
    return refused;
}

/* Whether a stream writes to a volume: the C library's own writes can't be seen, so its seeks are refused. */
static inline int writes_volume(FILE *file) {
    int fd = fileno(file);
    return in_volume(fd) && (syscall(SYS_fcntl, fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
}

/* Java sets modes: Hadoop's local file system stands for Spark's own way to the lake, which has none. */
static inline int keeps_mode(void) {
    return strcmp(program_invocation_short_name, "java") && strcmp(program_invocation_short_name, "chmod");
}

static long refuse(int error) {
    errno = error;
    return -1;
}

/* The C library's own function of this name. */
#define NEXT(type, parameters)                                                     \
    ({                                                                             \
        static type(*next) parameters;                                             \
        next ? next : (next = (type(*) parameters)dlsym(RTLD_NEXT, __func__));     \
    })
/* A function of a path in a folder. */
#define AT(type, name, fail, folder, need, parameters, arguments)                                     \
    type name parameters {                                                                            \
        char buffer[PATH_MAX];                                                                        \
        return (path = mapped(folder, path, need, buffer)) ? NEXT(type, parameters) arguments : fail; \
    }
#define OF(name, need, parameters, arguments) AT(int, name, -1, AT_FDCWD, need, parameters, arguments)
#define IN(name, need, parameters, arguments) AT(int, name, -1, folder, need, parameters, arguments)
/* A function that volumes don't support. */
#define NOT(type, name, error, condition, parameters, arguments) \
    type name parameters { return condition ? (type)refuse(error) : NEXT(type, parameters) arguments; }

