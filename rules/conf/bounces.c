/* The checks of the section of bounces, and whether they can go where it says,
 * which depends on the return paths and the inbound domains. */
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "conf/check.h"
#include "conf/return_domain.h"
#include "mail/address.h"

static bool is_inbound_domain(const struct wb_conf *conf, const char *domain)
{
    for (size_t i = 0; i < conf->inbound_count; i++)
        if (wb_strings_hold(&conf->inbounds[i].domains, domain))
            return true;
    return false;
}

static bool is_own(const char *domain)
{
    return strcmp(domain, WB_SUFFIX_DOMAIN) == 0 ||
           wb_domain_is_below(domain, WB_SUFFIX_DOMAIN);
}

/* What is wrong with the mailbox that gets bounces, or NULL. */
static const char *address_fault(const struct wb_conf *conf,
                                 const struct wb_address *a)
{
    if (wb_address_is_null(a) || a->domain == NULL)
        return "is not an address; user@domain is right";
    if (wb_strings_hold(&conf->bounces.domains, a->domain))
        return "is in a domain of bounces, so its mail would come back here; "
               "an address in another domain is right";
    if (is_inbound_domain(conf, a->domain))
        return "is in a domain of inbound, so its mail would come back here; "
               "an address in another domain is right";
    return is_own(a->domain) ? "is in waybill's own domain; an address in "
                               "another domain is right"
                             : NULL;
}

static void check_address(struct wb_checker *c)
{
    const char *text = c->conf->bounces.address, *fault;
    struct wb_address a = {.text = text};

    if (text == NULL)
        return;
    if (wb_address_parse(c->pool, text, &a, NULL) == EX_OSERR)
        c->is_out_of_memory = true;
    fault = address_fault(c->conf, &a);
    if (fault != NULL)
        wb_option_tell(c, wb_raw_find(c->bounces, "address"), "\"%s\" %s", text,
                       fault);
    c->conf->bounces.address = a.text;
}

/* The option that says sender. */
static const struct wb_raw_option *sender_option(const struct wb_checker *c)
{
    const char *name = c->conf->bounces.deliver == WB_TO_SENDER   ? "deliver"
                       : c->conf->bounces.replies == WB_TO_SENDER ? "replies"
                                                                  : NULL;

    return name == NULL ? NULL : wb_raw_find(c->bounces, name);
}

/* Unsigned addresses and those of batv do not carry the sender's domain. */
static void check_source(struct wb_checker *c, const char *domain,
                         enum wb_return_mode mode)
{
    const char *source;

    if (!wb_return_domain_is_made(c->conf, WB_MODE(mode), domain))
        return;
    if (wb_return_domain_source(c->conf, WB_MODE(mode), domain, c->scratch,
                                &source) != EX_OK)
        c->is_out_of_memory = true;
    else if (source == NULL)
        wb_option_tell(c, sender_option(c),
                       "sender: the return_paths that lead to %s take senders "
                       "of more than one domain, and its addresses do not tell "
                       "which; a return_path with mode = srs, or with domain = "
                       "\"return.%%d\", is right",
                       domain);
}

static void check_senders(struct wb_checker *c)
{
    const struct wb_strings *domains = &c->conf->bounces.domains;

    for (size_t i = 0; i < domains->count; i++) {
        const char *domain = domains->items[i];

        if (!wb_return_domain_is_made(c->conf, WB_MODES_MOVING, domain))
            wb_option_tell(c, sender_option(c),
                           "sender: no return_path leads to %s, so nothing "
                           "tells the sender; a return_path with this domain, "
                           "or deliver = address, is right",
                           domain);
        check_source(c, domain, WB_RETURN_DOMAIN);
        check_source(c, domain, WB_RETURN_BATV);
        wb_pool_reset(c->scratch);
    }
}

void wb_bounces_check(struct wb_checker *c)
{
    if (c->bounces == NULL)
        return;
    check_address(c);
    /* what is missing may stand in text that was not read */
    if (sender_option(c) != NULL && !c->is_broken && !c->lacks_sections)
        check_senders(c);
}

/* Does either of the two say where? Asked of the text, so that a word that was
 * refused asks for nothing. */
static bool goes_to(const struct wb_raw_section *raw, const char *where)
{
    const char *deliver = wb_raw_text(raw, "deliver");
    const char *replies = wb_raw_text(raw, "replies");

    return strcmp(deliver ? deliver : "webhook", where) == 0 ||
           (replies && strcmp(replies, where) == 0);
}

/* An option of the way that bears its name. */
static void check_way(struct wb_checker *c, const struct wb_raw_section *raw,
                      const char *name)
{
    const char *text = wb_raw_text(raw, name);

    if (goes_to(raw, name))
        wb_section_require(c, raw, name, text);
    else if (text)
        wb_problem_add(
            c->problems, WB_WARNING, raw->file, wb_raw_find(raw, name)->line,
            name, "has no effect: neither deliver nor replies is %s", name);
}

/* waybill-lmtp makes the file, but not the folder that it lies in. */
static void check_log_file(struct wb_checker *c,
                           const struct wb_raw_section *raw,
                           const struct wb_bounces *b)
{
    const char *slash = b->log_file ? strrchr(b->log_file, '/') : NULL;
    const char *report = wb_raw_text(raw, "report"), *folder;
    struct stat st;

    if (b->report != WB_REPORT_WEBHOOK)
        wb_section_require(c, raw, "log_file", b->log_file);
    else if (b->log_file && (!report || strcmp(report, "webhook") == 0))
        wb_option_tell(c, wb_raw_find(raw, "log_file"),
                       "nothing is written there; with report = log or both "
                       "it is right");
    if (!slash || (c->use != WB_USE_LMTP && c->use != WB_USE_CHECK))
        return;
    folder = wb_pool_strndup(c->pool, b->log_file,
                             (size_t)(slash - b->log_file) + 1);
    if (!folder)
        c->is_out_of_memory = true;
    else if (stat(folder, &st) || !S_ISDIR(st.st_mode))
        wb_option_tell(c, wb_raw_find(raw, "log_file"),
                       "there is no folder %s; make it, and give it to "
                       "lmtp_user",
                       folder);
}

void wb_bounces_section_check(struct wb_checker *c,
                              const struct wb_raw_section *raw)
{
    const struct wb_name *webhook;
    struct wb_bounces *b = &c->conf->bounces;

    if (c->bounces) {
        wb_problem_add(c->problems, WB_ERROR, raw->file, raw->line, raw->kind,
                       "given twice, first at %s:%u; give it once",
                       c->bounces->file, c->bounces->line);
        return;
    }
    c->bounces = raw;
    b->origin = wb_section_origin(c, raw);
    wb_section_convert(c, wb_schema_section(raw->kind), raw, b);
    if (!wb_raw_text(raw, "replies"))
        b->replies = b->deliver;
    wb_section_require(c, raw, "domains", b->domains.count);
    check_way(c, raw, "webhook");
    check_way(c, raw, "address");
    webhook = wb_refer_one(c, raw, "webhook", "webhook", &c->webhooks);
    if (webhook && goes_to(raw, "webhook"))
        b->webhook = &c->conf->webhooks[webhook->index];
    /* what tells a bounce from a reply */
    wb_header_want(c, "Content-Type");
    wb_header_want(c, "Auto-Submitted");
    check_log_file(c, raw, b);
}
