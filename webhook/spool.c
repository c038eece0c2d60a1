#include "webhook/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { CHUNK_OCTETS = 16384 };

static int fail(struct wb_err *err, const char *what)
{
    return wb_err_set(err, EX_IOERR, "%s: %s", what, strerror(errno));
}

/* For file systems that know no O_TMPFILE. */
static int open_and_unlink(const char *directory)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/waybill-XXXXXX", directory);
    int fd;

    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0 && unlink(path) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int wb_spool_file_open(const char *directory, int *fd, struct wb_err *err)
{
    *fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
        *fd = open_and_unlink(directory);
    return *fd >= 0 ? EX_OK : fail(err, directory);
}

int wb_spool_file_write(int fd, const char *octets, size_t count,
                        struct wb_err *err)
{
    while (count > 0) {
        ssize_t n = write(fd, octets, count);

        if (n < 0 && errno != EINTR)
            return fail(err, "a spool file cannot be written");
        if (n > 0) {
            octets += n;
            count -= (size_t)n;
        }
    }
    return EX_OK;
}

ssize_t wb_spool_file_read(int fd, uint64_t offset, char *octets, size_t count,
                           struct wb_err *err)
{
    ssize_t n;

    do {
        n = pread(fd, octets, count, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        (void)fail(err, "a spool file cannot be read");
    return n;
}

int wb_spool_file_copy(int from, int to, struct wb_err *err)
{
    char chunk[CHUNK_OCTETS];
    uint64_t offset = 0;
    ssize_t n;

    while ((n = wb_spool_file_read(from, offset, chunk, sizeof chunk, err)) >
           0) {
        if (wb_spool_file_write(to, chunk, (size_t)n, err) != EX_OK)
            return EX_IOERR;
        offset += (uint64_t)n;
    }
    return n == 0 ? EX_OK : EX_IOERR;
}

static void digest_fault(struct wb_spool *spool)
{
    spool->code =
        wb_err_set(&spool->err, EX_OSERR, "OpenSSL could not make a digest");
}

void wb_spool_begin(struct wb_spool *spool, const char *directory)
{
    memset(spool, 0, sizeof *spool);
    spool->fd = -1;
    spool->digesting = EVP_MD_CTX_new();
    if (spool->digesting == NULL ||
        !EVP_DigestInit_ex(spool->digesting, EVP_sha256(), NULL))
        digest_fault(spool);
    else
        spool->code = wb_spool_file_open(directory, &spool->fd, &spool->err);
}

void wb_spool_add(struct wb_spool *spool, const char *octets, size_t count)
{
    if (spool->code != EX_OK)
        return;
    if (!EVP_DigestUpdate(spool->digesting, octets, count))
        digest_fault(spool);
    else
        spool->code =
            wb_spool_file_write(spool->fd, octets, count, &spool->err);
    spool->octets += count;
}

int wb_spool_end(struct wb_spool *spool)
{
    if (spool->code == EX_OK &&
        !EVP_DigestFinal_ex(spool->digesting, spool->digest, NULL))
        digest_fault(spool);
    return spool->code;
}

void wb_spool_close(struct wb_spool *spool)
{
    if (spool->digesting != NULL) {
        EVP_MD_CTX_free(spool->digesting);
        if (spool->fd >= 0)
            close(spool->fd);
    }
    memset(spool, 0, sizeof *spool);
}
