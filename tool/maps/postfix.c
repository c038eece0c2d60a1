/* The texts of Postfix's tables. */
#include <stdlib.h>
#include <string.h>

#include "tool/maps/files.h"
#include "tool/maps/memory.h"

#define SUFFIX  "\\.waybill\\.invalid$/"
#define NAME    "[a-z0-9_-]+"
#define MAC     "[a-z2-7]{26}"
#define REFUSED "/[.@]waybill\\.invalid\\.?>?$/  REJECT 5.1.2 no such domain\n"

static void header(FILE *f, const struct wb_entries *e, const char *what)
{
    fprintf(f,
            WB_FILE_MARK WB_VERSION
            " (waybill maps, waybill apply) from %s.\n"
            "# %s\n"
            "# Do not edit: the next apply writes it anew.\n",
            e->conf->path, what);
}

/* text as a literal part of a regular expression. */
static const char *literal(struct wb_pool *pool, const char *text)
{
    struct wb_text t;

    wb_text_open(&t);
    for (; *text != '\0'; text++) {
        if (strchr(".[]()|*+?^$\\/{}", *text) != NULL)
            fputc('\\', t.file);
        fputc(*text, t.file);
    }
    return wb_text_close(&t, pool);
}

const char *wb_postfix_row(struct wb_pool *pool, const struct wb_route *route,
                           const char *label)
{
    return wb_say(pool, "/@.+\\.%s\\.%s" SUFFIX "  ", route->name, label);
}

static void route_row(FILE *f, struct wb_pool *pool, const struct wb_way *way,
                      const char *label)
{
    fprintf(f, "%s%s:%s\n", wb_postfix_row(pool, way->route, label),
            way->service->name, way->nexthop);
}

/* Routes whose names have one length and one ending stand behind one guard:
 * of 20,000 routes a look-up then tries a few hundred rows. */
enum { GUARD_FROM = 64, ENDING = 2 };

static const char *ending(const struct wb_way *way)
{
    size_t octets = strlen(way->route->name);

    return way->route->name + (octets > ENDING ? octets - ENDING : 0);
}

static int by_guard(const void *a, const void *b)
{
    const struct wb_way *x = *(const struct wb_way *const *)a;
    const struct wb_way *y = *(const struct wb_way *const *)b;
    size_t m = strlen(x->route->name), n = strlen(y->route->name);
    int order = strcmp(ending(x), ending(y));

    if (m != n)
        return m < n ? -1 : 1;
    return order != 0 ? order : strcmp(x->route->name, y->route->name);
}

static bool same_guard(const struct wb_way *a, const struct wb_way *b)
{
    return strlen(a->route->name) == strlen(b->route->name) &&
           strcmp(ending(a), ending(b)) == 0;
}

static void guarded_rows(FILE *f, const struct wb_entries *e,
                         struct wb_pool *pool, const char *label)
{
    const struct wb_way **ways =
        wb_must(wb_pool_array(pool, e->way_count, sizeof *ways));

    for (size_t i = 0; i < e->way_count; i++)
        ways[i] = &e->ways[i];
    qsort(ways, e->way_count, sizeof *ways, by_guard);
    for (size_t i = 0; i < e->way_count; i++) {
        size_t more = strlen(ways[i]->route->name) - strlen(ending(ways[i]));

        if (i == 0 || !same_guard(ways[i - 1], ways[i]))
            fprintf(f, "if /\\.[a-z0-9_-]{%zu}%s\\.%s" SUFFIX "\n", more,
                    ending(ways[i]), label);
        route_row(f, pool, ways[i], label);
        if (i + 1 == e->way_count || !same_guard(ways[i], ways[i + 1]))
            fputs("endif\n", f);
    }
}

static void label_rows(FILE *f, const struct wb_entries *e,
                       struct wb_pool *pool, const char *label)
{
    if (e->way_count >= GUARD_FROM)
        guarded_rows(f, e, pool, label);
    for (size_t i = 0; e->way_count < GUARD_FROM && i < e->way_count; i++)
        route_row(f, pool, &e->ways[i], label);
    if (e->conf->webhook_count > 0)
        fprintf(f, "/@.+\\.hook\\.%s" SUFFIX "  waybill-lmtp:%s\n", label,
                wb_postfix_socket(pool, e->conf, e->conf->lmtp_socket));
    fprintf(f, "/@.+\\.again\\.%s" SUFFIX "  %s\n", label,
            wb_postfix_again(pool, e->conf));
    fprintf(f,
            "/@.+\\.%s" SUFFIX
            "  retry:4.3.5 this route is not configured any more\n",
            label);
}

/* Mail that waybill has not seen, such as a bounce made on this host, goes to
 * the listener where it does. Not to retry: smtpd would refuse it at once. */
static void unseen_rows(FILE *f, const struct wb_entries *e,
                        struct wb_pool *pool)
{
    struct wb_strings domains = wb_postfix_domains(e, pool);
    const char *hop = wb_postfix_hop(pool, e->conf);

    for (size_t i = 0; i < domains.count; i++)
        fprintf(f, "/@%s$/  %s\n", literal(pool, domains.items[i]), hop);
}

static const char *transport(const struct wb_entries *e, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e,
           "Where each marked recipient goes; first in transport_maps.");
    fputs("if /" SUFFIX "\n", t.file);
    for (size_t i = 0; i < e->conf->secret.count; i++)
        label_rows(t.file, e, pool, e->conf->secret.keys[i].label);
    fputs("/./  error:5.1.2 no such route\n"
          "endif\n"
          "/@waybill\\.invalid$/  error:5.1.2 no such route\n",
          t.file);
    unseen_rows(t.file, e, pool);
    return wb_text_close(&t, pool);
}

/* A server's words as part of a table's row. */
static const char *plain(struct wb_pool *pool, const char *text)
{
    enum { MAX_OCTETS = 200 };
    char *copy = wb_slice(pool, text, 0, strnlen(text, MAX_OCTETS));

    for (char *c = copy; *c != '\0'; c++)
        if (*c < ' ' || *c > '~' || *c == '$')
            *c = '?';
    return copy;
}

const char *wb_postfix_down(const struct wb_entries *e, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e,
           "Routes that are not used now; first in transport_maps. waybill "
           "pop-login writes it anew.");
    fputs("if /" SUFFIX "\n", t.file);
    for (size_t i = 0; i < e->conf->secret.count; i++)
        for (size_t j = 0; j < e->way_count; j++)
            if (e->ways[j].down != NULL)
                fprintf(t.file, "%sretry:4.7.0 %s\n",
                        wb_postfix_row(pool, e->ways[j].route,
                                       e->conf->secret.keys[i].label),
                        plain(pool, e->ways[j].down));
    fputs("endif\n", t.file);
    return wb_text_close(&t, pool);
}

#define ROUTED "\\.(?:" NAME "\\." MAC "\\.again|(?!(?:hook|again)\\.)" NAME ")"

/* The '@' keeps domain look-ups (virtual_alias_domains) away; webhook
 * recipients go to waybill-lmtp as they are. Last, a sender into which Postfix
 * put the recipient (VERP). */
static void strip_rows(FILE *f, const char *label)
{
    fprintf(f,
            "/^\"(.+)\"@x" ROUTED "\\.%s" SUFFIX "  $1\n"
            "/^(.*@.+)" ROUTED "\\.%s" SUFFIX "  $1\n"
            "/^(.+)" ROUTED "\\.%s\\.waybill\\.invalid(@.+)$/  $1$2\n",
            label, label, label);
}

static const char *strip(const struct wb_entries *e, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e, "The recipient as it was, without waybill's mark.");
    for (size_t i = 0; i < e->conf->secret.count; i++)
        strip_rows(t.file, e->conf->secret.keys[i].label);
    return wb_text_close(&t, pool);
}

/* For the time in which waybill is taken out. */
static const char *unseen(const struct wb_entries *e, struct wb_pool *pool,
                          const struct wb_strings *domains)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e, "While waybill is taken out, mail to its domains waits.");
    for (size_t i = 0; i < domains->count; i++)
        fprintf(t.file, "/@%s$/  450 4.3.5 " WB_TAKEN_OUT "\n",
                literal(pool, domains->items[i]));
    return wb_text_close(&t, pool);
}

static const char *refuse(const struct wb_entries *e, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e,
           "Clients cannot name a route; first in "
           "smtpd_recipient_restrictions.");
    fputs(REFUSED, t.file);
    return wb_text_close(&t, pool);
}

/* postsuper -r takes marked mail through pickup, its hop and this listener
 * once more: what was decided stands. */
static const char *loopback(const struct wb_entries *e, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e,
           "The loopback listener takes requeued mail, which is marked.");
    for (size_t i = 0; i < e->conf->secret.count; i++)
        fprintf(t.file, "/\\.%s" SUFFIX "  DUNNO\n",
                e->conf->secret.keys[i].label);
    fputs(REFUSED, t.file);
    return wb_text_close(&t, pool);
}

/* Second passes, and nothing else. */
static const char *again(const struct wb_entries *e, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e, "The listener for second passes takes these alone.");
    for (size_t i = 0; i < e->conf->secret.count; i++)
        fprintf(t.file, "/@.+\\.again\\.%s" SUFFIX "  DUNNO\n",
                e->conf->secret.keys[i].label);
    fputs("/^/  550 5.1.2 only second passes come this way\n", t.file);
    return wb_text_close(&t, pool);
}

#define MARK                                                                   \
    "\\.(?:" NAME "\\." NAME "\\." MAC "\\.hook|" NAME "\\." MAC               \
    "\\.again|" NAME ")\\.[a-z2-7]{8}\\.waybill\\.invalid"
/* one "@" only: else it would be looked for again from each */
#define LITERAL "\"([^\"\\\\ @]+@[^\"\\\\ @]+)\"@x" MARK

/* Requeued mail passes the hop marked, and there its recipient is written into
 * a header that leaves the host. */
static const char *hop(const struct wb_entries *e, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e, "Received headers do not tell waybill's mark.");
    fputs("if /^Received:.*\\.waybill\\.invalid>/\n"
          "/^(.*<)" LITERAL "(>.*)$/  REPLACE $1$2$3\n"
          "/^(.*<.+?)" MARK "(>.*)$/  REPLACE $1$2\n"
          "endif\n",
          t.file);
    return wb_text_close(&t, pool);
}

/* Bounces tell the recipient as the sender knew it. A retired label is
 * cleaned as well: this decides nothing. */
static const char *dsn(const struct wb_entries *e, struct wb_pool *pool)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e, "Bounces show recipients without waybill's mark.");
    fputs("if /\\.waybill\\.invalid/\n"
          "/^(Final-Recipient: (?:rfc822|utf-8); )" LITERAL "$/  "
          "REPLACE $1$2\n"
          "/^(Final-Recipient: (?:rfc822|utf-8); .+?)" MARK "$/  REPLACE $1\n"
          "/^(.*<)" LITERAL "(>.*)$/  REPLACE $1$2$3\n"
          "/^(.*<.+?)" MARK "(>.*)$/  REPLACE $1$2\n"
          "/^(\\s*)" LITERAL "(>.*)?$/  REPLACE $1$2$3\n"
          "/^(.*?)" MARK "(.*)$/  REPLACE $1$2\n"
          "endif\n",
          t.file);
    return wb_text_close(&t, pool);
}

static const char *relay(const struct wb_entries *e, struct wb_pool *pool,
                         const struct wb_strings *domains, const char *before,
                         const char *what)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e, what);
    for (size_t i = 0; i < domains->count; i++)
        fprintf(t.file, "/%s%s$/  waybill\n", before,
                literal(pool, domains->items[i]));
    return wb_text_close(&t, pool);
}

static const struct wb_strings *chosen(bool has_list,
                                       const struct wb_strings *list,
                                       const struct wb_strings *all)
{
    return has_list ? list : all;
}

/* What an inbound listener takes; a postmaster's mail where this host is at
 * home (RFC 5321, 4.5.1). waybill looks once more. */
static const char *listener_domains(const struct wb_entries *e,
                                    struct wb_pool *pool,
                                    const struct wb_listener *l)
{
    const struct wb_strings bounces = {e->bounce_domains, e->bounce_count},
                            inbound = {e->inbound_domains, e->inbound_count};
    const struct wb_strings *lists[] = {
        chosen(l->has_bounce_domains, &l->bounce_domains, &bounces),
        chosen(l->has_inbound_domains, &l->inbound_domains, &inbound)};
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e, "Domains whose mail this listener takes.");
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < lists[i]->count; j++)
            fprintf(t.file, "/@%s$/  DUNNO\n",
                    literal(pool, lists[i]->items[j]));
    fputs("/^postmaster@/  permit_auth_destination\n"
          "/^/  550 5.7.1 this listener takes no mail for this address\n",
          t.file);
    return wb_text_close(&t, pool);
}

/* Who may send by a listener: as access(5), or the mynetworks of own clients.
 */
static const char *listener_clients(const struct wb_entries *e,
                                    struct wb_pool *pool,
                                    const struct wb_listener *l)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e, "Clients that may send by this listener.");
    for (size_t i = 0; i < l->network_count; i++)
        fprintf(t.file, "%s  DUNNO\n", wb_network_text(pool, &l->networks[i]));
    if (l->class == WB_LISTENER_INBOUND)
        fputs("0.0.0.0/0  550 5.7.1 this listener takes no mail from your "
              "address\n"
              "::/0  550 5.7.1 this listener takes no mail from your address\n",
              t.file);
    return wb_text_close(&t, pool);
}

static const char *passwords(const struct wb_entries *e, struct wb_pool *pool,
                             const struct wb_service *service)
{
    struct wb_text t;

    wb_text_open(&t);
    header(t.file, e,
           wb_say(pool, "Accounts of the service %s.", service->name));
    for (const struct wb_seat *seat = service->seats; seat != NULL;
         seat = seat->next)
        fprintf(t.file, "%s  %s:%s\n", seat->nexthop, seat->username,
                seat->password);
    return wb_text_close(&t, pool);
}

static const char *master_fragment(const struct wb_entries *e,
                                   struct wb_pool *pool)
{
    struct wb_text t;
    size_t count;
    const struct wb_master_service *services =
        wb_postfix_services(e, pool, &count);

    wb_text_open(&t);
    header(t.file, e,
           "The services that waybill adds to master.cf, for your eyes; "
           "waybill apply --print tells all.");
    for (size_t i = 0; i < count; i++)
        fputs(services[i].text, t.file);
    return wb_text_close(&t, pool);
}

static void add(struct wb_files *files, const char *name, const char *text)
{
    files->items[files->count++] = (struct wb_file){.name = name, .text = text};
}

static void add_listener(struct wb_files *files, const struct wb_entries *e,
                         struct wb_pool *pool, const struct wb_listener *l)
{
    if (!l->is_generated)
        return;
    if (l->class == WB_LISTENER_INBOUND)
        add(files, wb_say(pool, "listener-%s.pcre", l->name),
            listener_domains(e, pool, l));
    if (l->network_count > 0)
        add(files, wb_say(pool, "listener-%s.cidr", l->name),
            listener_clients(e, pool, l));
}

struct wb_strings wb_postfix_domains(const struct wb_entries *e,
                                     struct wb_pool *pool)
{
    const char **all = wb_must(wb_pool_array(
        pool, e->bounce_count + e->inbound_count + 1, sizeof *all));
    size_t count = 0;

    for (size_t i = 0; i < e->bounce_count; i++)
        all[count++] = e->bounce_domains[i];
    if (e->conf->inbound_unmatched == WB_UNMATCHED_REJECT) {
        for (size_t i = 0; i < e->inbound_count; i++)
            all[count++] = e->inbound_domains[i];
    }
    return (struct wb_strings){all, count};
}

void wb_postfix_files(const struct wb_entries *e, struct wb_pool *pool,
                      const struct wb_strings *domains, bool with_fragments,
                      struct wb_files *out)
{
    struct wb_strings own = wb_postfix_domains(e, pool);

    out->items = wb_must(
        wb_pool_array(pool, e->service_count + 2 * e->conf->listener_count + 11,
                      sizeof *out->items));
    out->count = 0;
    if (wb_entries_have_pop(e))
        add(out, WB_DOWN_FILE, wb_postfix_down(e, pool));
    add(out, "transport.pcre", transport(e, pool));
    add(out, "strip.pcre", strip(e, pool));
    add(out, "loopback.pcre", loopback(e, pool));
    add(out, "again.pcre", again(e, pool));
    add(out, "unseen.pcre", unseen(e, pool, &own));
    add(out, "refuse.pcre", refuse(e, pool));
    add(out, "dsn.pcre", dsn(e, pool));
    add(out, "hop.pcre", hop(e, pool));
    if (domains->count > 0) {
        add(out, "relay_domains.pcre",
            relay(e, pool, domains, "^",
                  "Domains whose mail waybill takes in; in relay_domains."));
        add(out, "relay_recipients.pcre",
            relay(e, pool, domains, "@",
                  "Every recipient of these domains exists; in "
                  "relay_recipient_maps."));
    }
    for (size_t i = 0; i < e->conf->listener_count; i++)
        add_listener(out, e, pool, &e->conf->listeners[i]);
    for (size_t i = 0; i < e->service_count; i++) {
        const struct wb_service *service = e->services[i];

        if (service->passwords == NULL)
            continue;
        add(out, service->passwords, passwords(e, pool, service));
        out->items[out->count - 1].has_passwords = true;
    }
    if (with_fragments)
        add(out, "master.cf.add", master_fragment(e, pool));
}
