/* The checks of a webhook section, and the files that it names. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/check.h"
#include "mail/address.h"
#include "match/public.h"

enum {
    KEY_MAX_OCTETS = 1023, /* of a line */
    SIGNING_KEY_MIN_OCTETS = 16,
    FILE_MAX_OCTETS = WB_SIGNING_KEYS_MAX * (KEY_MAX_OCTETS + 1),
};

static void tell(struct wb_checker *c, const struct wb_raw_section *raw,
                 const char *option, const char *text)
{
    if (!c->is_broken)
        wb_option_tell(c, wb_raw_find(raw, option), "%s", text);
}

/* ---- what goes together ------------------------------------------------- */

static void check_account(struct wb_checker *c,
                          const struct wb_raw_section *raw,
                          const struct wb_webhook *w)
{
    const char *username = wb_raw_text(raw, "username");

    if (username && !wb_raw_text(raw, "password_file"))
        tell(c, raw, "username",
             "without password_file; add password_file = FILE");
    if (!username && wb_raw_text(raw, "password_file"))
        tell(c, raw, "password_file", "without username; add username = NAME");
    if (username && strchr(username, ':'))
        tell(c, raw, "username",
             "holds a colon, which Basic authentication (RFC 7617) cannot "
             "carry; another account is needed");
    if (username && wb_raw_text(raw, "token_file"))
        tell(c, raw, "token_file",
             "contradicts username: both would be the Authorization; leave "
             "one of them out");
    if ((w->format == WB_FORMAT_RAW || w->format == WB_FORMAT_MAILGUN) &&
        wb_raw_text(raw, "api_key_file"))
        tell(c, raw, "api_key_file",
             "formats raw and mailgun have no place for it; token_file, or "
             "username and password_file, is right");
}

/* The address that stands in a URL in place of a name, as IPv6. */
static bool take_address(const char *url, uint8_t octets[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const char *host = strstr(url, "://");
    char text[INET6_ADDRSTRLEN] = "";
    size_t length;

    if (!host)
        return false;
    host += strlen("://");
    host += *host == '[';
    length = strcspn(host, host[-1] == '[' ? "]" : ":/?#");
    if (length >= sizeof text)
        return false;
    memcpy(text, host, length);
    if (inet_pton(AF_INET6, text, octets) == 1)
        return true;
    memcpy(octets, mapped, sizeof mapped);
    return inet_pton(AF_INET, text, octets + sizeof mapped) == 1;
}

static bool is_clear(const struct wb_webhook *w)
{
    return w->url && strncasecmp(w->url, "http://", 7) == 0;
}

static void check_url(struct wb_checker *c, const struct wb_raw_section *raw,
                      const struct wb_webhook *w)
{
    uint8_t address[16];

    if (w->url && !w->allow_private && take_address(w->url, address) &&
        !wb_ip_is_public(address))
        tell(c, raw, "url",
             "the address is not a public one; with allow_private = yes it is "
             "right");
    else if (is_clear(w) && !w->allow_private)
        tell(c, raw, "url",
             "the mail would cross the network in clear; https://, or "
             "allow_private = yes for a host in your own network, is right");
    if (is_clear(w) && wb_raw_text(raw, "ca_file"))
        tell(c, raw, "ca_file", "http:// has no certificate; leave it out");
}

/* ---- files of keys ------------------------------------------------------ */

static bool open_file(struct wb_checker *c, const struct wb_raw_option *option,
                      const char *path, int *fd)
{
    struct stat st;

    /* O_NONBLOCK: a FIFO at this path must not hang the daemon. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, &st))
        wb_option_tell(c, option, "%s cannot be read: %s", path,
                       strerrordesc_np(errno));
    else if (!S_ISREG(st.st_mode))
        wb_option_tell(c, option, "%s is not a regular file", path);
    else if (st.st_mode & 027)
        wb_option_tell(c, option,
                       "%s has mode %04o and can be read by others or written "
                       "by its group; chmod 640 %s",
                       path, (unsigned)st.st_mode & 07777, path);
    else
        return true;
    return false;
}

/* What is wrong with a line of key? It is never quoted. */
static const char *line_fault(const char *line)
{
    size_t octets = strlen(line);

    if (octets == 0)
        return "the file is empty, or has an empty line; the key alone on its "
               "line is right";
    if (octets > KEY_MAX_OCTETS)
        return "a line is too long; at most 1023 octets are right";
    if (isspace((unsigned char)line[0]) ||
        isspace((unsigned char)line[octets - 1]))
        return "a line begins or ends with a blank; leave it out";
    for (size_t i = 0; i < octets; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            return "a line holds a control character; plain text is right";
    return NULL;
}

/* The lines of text, which becomes theirs, at most most of them.
 * Returns what is wrong, or NULL. */
static const char *take_lines(struct wb_checker *c, char *text, size_t octets,
                              const char *lines[], size_t most)
{
    const char *fault = NULL;
    size_t count = 0;

    if (memchr(text, '\0', octets))
        return "the file holds a NUL octet; plain text is right";
    if (octets && text[octets - 1] == '\n')
        text[octets - 1] = '\0';
    for (char *line; !fault && (line = strsep(&text, "\n")); count++) {
        if (count == most)
            return most == 1 ? "the file has several lines; the key alone on "
                               "its only line is right"
                             : "the file has more than two lines; the new key "
                               "and the old one are right";
        fault = line_fault(line);
        if (!fault)
            lines[count] = wb_checker_copy(c, line);
    }
    return fault;
}

/* Read the file that option names into lines. Returns false when there is
 * none, when it is not to be read, and when it is wrong (told). */
static bool read_keys(struct wb_checker *c, const struct wb_raw_section *raw,
                      const char *option, const char *path, const char *lines[],
                      size_t most)
{
    char text[FILE_MAX_OCTETS + 2] = "";
    const char *fault = NULL;
    ssize_t octets = -1;
    bool is_open;
    int fd;

    if (!path || (c->use != WB_USE_LMTP && c->use != WB_USE_CHECK))
        return false;
    is_open = open_file(c, wb_raw_find(raw, option), path, &fd);
    if (is_open) {
        octets = read(fd, text, sizeof text - 1);
        fault = octets < 0 ? strerrordesc_np(errno)
                           : take_lines(c, text, (size_t)octets, lines, most);
    }
    if (fault)
        wb_option_tell(c, wb_raw_find(raw, option), "%s: %s", path, fault);
    explicit_bzero(text, sizeof text);
    if (fd >= 0)
        close(fd);
    return octets >= 0 && !fault;
}

/* What goes into a header must not end it, or be read as two. */
static void check_token(struct wb_checker *c, const struct wb_raw_section *raw,
                        const struct wb_webhook *w)
{
    for (const char *s = w->token; s && *s; s++)
        if (*s <= ' ' || *s > '~') {
            wb_option_tell(c, wb_raw_find(raw, "token_file"),
                           "%s: the token holds more than letters, digits and "
                           "signs of ASCII",
                           w->token_file);
            return;
        }
}

/* It becomes a field of text. */
static void check_api_key(struct wb_checker *c,
                          const struct wb_raw_section *raw,
                          const struct wb_webhook *w)
{
    if (w->api_key && !wb_utf8_is_valid(w->api_key, strlen(w->api_key)))
        wb_option_tell(c, wb_raw_find(raw, "api_key_file"),
                       "%s: the key is not UTF-8", w->api_key_file);
}

static void check_signing_keys(struct wb_checker *c,
                               const struct wb_raw_section *raw,
                               const struct wb_webhook *w)
{
    for (size_t i = 0; w->signing_keys[i]; i++)
        if (strlen(w->signing_keys[i]) < SIGNING_KEY_MIN_OCTETS)
            wb_option_tell(c, wb_raw_find(raw, "signing_key_file"),
                           "%s: key %zu has %zu octets; 16 to 1023 are right",
                           w->signing_key_file, i + 1,
                           strlen(w->signing_keys[i]));
}

static void read_key_files(struct wb_checker *c,
                           const struct wb_raw_section *raw,
                           struct wb_webhook *w)
{
    if (read_keys(c, raw, "api_key_file", w->api_key_file, &w->api_key, 1))
        check_api_key(c, raw, w);
    read_keys(c, raw, "password_file", w->password_file, &w->password, 1);
    if (read_keys(c, raw, "token_file", w->token_file, &w->token, 1))
        check_token(c, raw, w);
    if (read_keys(c, raw, "signing_key_file", w->signing_key_file,
                  w->signing_keys, WB_SIGNING_KEYS_MAX))
        check_signing_keys(c, raw, w);
}

static void read_ca_file(struct wb_checker *c, const struct wb_raw_section *raw,
                         struct wb_webhook *w)
{
    if (!w->ca_file || is_clear(w) ||
        (c->use != WB_USE_LMTP && c->use != WB_USE_CHECK))
        return;
    w->trust = X509_STORE_new();
    if (!w->trust)
        c->is_out_of_memory = true;
    else if (access(w->ca_file, R_OK) != 0)
        wb_option_tell(c, wb_raw_find(raw, "ca_file"), "%s cannot be read: %s",
                       w->ca_file, strerrordesc_np(errno));
    else if (!X509_STORE_load_file(w->trust, w->ca_file))
        wb_option_tell(c, wb_raw_find(raw, "ca_file"),
                       "%s holds no certificate; one or more in PEM are right",
                       w->ca_file);
    ERR_clear_error();
}

void wb_webhook_check(struct wb_checker *c, const struct wb_raw_section *raw,
                      struct wb_webhook *w)
{
    check_account(c, raw, w);
    check_url(c, raw, w);
    read_key_files(c, raw, w);
    read_ca_file(c, raw, w);
}
