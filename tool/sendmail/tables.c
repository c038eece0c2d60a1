/* The sources of the tables, for makemap. */
#include <openssl/evp.h>
#include <string.h>

#include "tool/maps/memory.h"
#include "tool/sendmail/sendmail.h"

const char *const wb_sendmail_tables[] = {"mailertable", "authinfo", "tls",
                                          NULL};

static void header(FILE *f, const struct wb_sendmail *s, const char *what)
{
    fprintf(f,
            WB_FILE_MARK WB_VERSION
            " (waybill maps, waybill apply) from %s.\n"
            "# %s\n"
            "# Do not edit: the next apply writes it anew.\n",
            s->conf->path, what);
}

static const char *mailertable(const struct wb_sendmail *s,
                               struct wb_pool *pool)
{
    const struct wb_secret *secret = &s->conf->secret;
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, s, "The mailer and the account of each marked recipient.");
    for (size_t k = 0; k < secret->count; k++) {
        const char *label = secret->keys[k].label;

        for (size_t i = 0; i < s->way_count; i++)
            fprintf(t.file, ".%s.%s.waybill.invalid\t%s:[%s]\n",
                    s->ways[i].route->name, label, s->ways[i].mailer->name,
                    s->ways[i].route->name);
        if (s->conf->webhook_count > 0)
            fprintf(t.file, ".hook.%s.waybill.invalid\twb-hook:[hook]\n",
                    label);
        fprintf(t.file, ".again.%s.waybill.invalid\twb-again:[again]\n", label);
        fprintf(t.file, ".%s.waybill.invalid\tgone\n", label);
    }
    return wb_text_close(&t, pool);
}

/* What may hold any octet stands there in base64 ("U=" instead of "U:"). */
static const char *base64(struct wb_pool *pool, const char *text)
{
    size_t octets = strlen(text);
    char *out = wb_must(wb_pool_alloc(pool, 4 * (octets / 3 + 1) + 1));

    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text,
                    (int)octets);
    return out;
}

static const char *mechanism(const struct wb_route *route)
{
    static const char *const words[] = {
        [WB_AUTH_NONE] = NULL,     [WB_AUTH_PLAIN] = "PLAIN",
        [WB_AUTH_LOGIN] = "LOGIN", [WB_AUTH_CRAM_MD5] = "CRAM-MD5",
        [WB_AUTH_NTLM] = "NTLM",   [WB_AUTH_ANY] = NULL,
    };

    return words[route->auth];
}

/* Every route has a row: one without a login must not get that which the site
 * has for the same host. */
static const char *authinfo(const struct wb_sendmail *s, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, s, "The accounts of the routes, in base64.");
    for (size_t i = 0; i < s->way_count; i++) {
        const struct wb_mailer_way *way = &s->ways[i];
        const char *mech = mechanism(way->route);

        fprintf(t.file, "Route:[%s]\t", way->route->name);
        if (way->password == NULL)
            fputs("none\n", t.file);
        else
            fprintf(t.file, "\"U=%s\" \"I=%s\" \"P=%s\"%s\n",
                    base64(pool, way->route->username),
                    base64(pool, way->route->username),
                    base64(pool, way->password),
                    mech == NULL ? "" : wb_say(pool, " \"M:%s\"", mech));
    }
    return wb_text_close(&t, pool);
}

/* The names that a certificate may bear for host: itself, and the wildcard
 * that covers it. */
static void names(FILE *f, const char *host)
{
    const char *rest = strchr(host, '.');

    fprintf(f, "%s/", host);
    if (host[0] != '[' && rest != NULL && strchr(rest + 1, '.') != NULL)
        fprintf(f, "*%s/", rest);
}

static void tls_row(FILE *f, const struct wb_route *r)
{
    fprintf(f, "[%s]\t", r->name);
    if (r->tls != WB_TLS_STARTTLS) {
        fputs(r->tls == WB_TLS_NONE ? "none\n" : "pipe\n", f);
        return;
    }
    fputs("must/", f);
    names(f, r->host);
    for (size_t i = 0; i < r->fallback_count; i++)
        names(f, r->fallbacks[i].host);
    if (r->cert_file != NULL)
        fprintf(f, "|CertFile=%s;KeyFile=%s", r->cert_file, r->key_file);
    fputc('\n', f);
}

static const char *tls(const struct wb_sendmail *s, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, s,
           "Which routes have TLS, and what names their relays must have.");
    for (size_t i = 0; i < s->way_count; i++)
        tls_row(t.file, s->ways[i].route);
    fputs("[hop]\tnone\n[again]\tnone\n[hook]\tnone\n", t.file);
    return wb_text_close(&t, pool);
}

static void add(struct wb_files *files, const char *name, const char *text)
{
    files->items[files->count++] = (struct wb_file){.name = name, .text = text};
}

void wb_sendmail_files(const struct wb_sendmail *s, struct wb_pool *pool,
                       bool is_leaving, struct wb_files *out)
{
    out->items = wb_must(wb_pool_array(pool, 4, sizeof *out->items));
    out->count = 0;
    add(out, WB_SENDMAIL_M4, wb_sendmail_m4(s, pool, is_leaving));
    add(out, "mailertable", mailertable(s, pool));
    add(out, "tls", tls(s, pool));
    add(out, "authinfo", authinfo(s, pool));
    out->items[out->count - 1].has_passwords = true;
}
