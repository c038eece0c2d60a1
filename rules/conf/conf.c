#include "conf/conf.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/check.h"
#include "match/rule_index.h"

static void free_inner(struct wb_conf *conf)
{
    for (size_t i = 0; i < conf->rules.count; i++) {
        wb_addrlist_free(&conf->rules.rules[i].recipients);
        wb_addrlist_free(&conf->rules.rules[i].senders);
        wb_pattern_free(conf->rules.rules[i].header_pattern);
    }
    for (size_t i = 0; i < conf->return_path_count; i++)
        wb_addrlist_free(&conf->return_paths[i].senders);
    for (size_t i = 0; i < conf->inbound_count; i++)
        wb_pattern_free(conf->inbounds[i].pattern);
    wb_rules_index_free(&conf->rules);
    wb_index_free(conf->inbound_index);
    for (size_t i = 0; i < conf->webhook_count; i++)
        X509_STORE_free(conf->webhooks[i].trust);
}

static void free_loaded(struct wb_loaded *loaded)
{
    struct wb_conf *conf = &loaded->conf;

    if (loaded->free_kept)
        loaded->free_kept(loaded->kept);
    free_inner(conf);
    free(conf->routes);
    free(conf->rules.rules);
    free(conf->return_paths);
    free(conf->webhooks);
    free(conf->inbounds);
    free(conf->inbound_domains);
    free(conf->listeners);
    explicit_bzero(&conf->secret, sizeof conf->secret);
    wb_pool_free(loaded->pool);
    free(loaded);
}

static struct wb_loaded *new_loaded(void)
{
    struct wb_loaded *made = calloc(1, sizeof *made);

    if (!made)
        return NULL;
    atomic_init(&made->references, 1);
    made->pool = wb_pool_new(0);
    if (made->pool)
        return made;
    free(made);
    return NULL;
}

/* The daemon changes its folder after the first load. */
static const char *absolute(struct wb_pool *pool, const char *path)
{
    char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    const char *made = here ? wb_pool_printf(pool, "%s/%s", here, path)
                            : wb_pool_strdup(pool, path);

    free(here);
    return made;
}

static int load(const char *path, enum wb_conf_use use,
                struct wb_loaded *loaded, struct wb_problems *problems)
{
    struct wb_raw raw = {.pool = wb_pool_new(0)};
    bool has_memory = raw.pool != NULL;

    loaded->conf.path = absolute(loaded->pool, path);
    if (has_memory) {
        wb_raw_read(&raw, path, problems);
        has_memory = !raw.is_out_of_memory && loaded->conf.path &&
                     wb_conf_check(&raw, use, loaded, problems);
    }
    wb_pool_free(raw.pool);
    if (!has_memory || problems->out_of_memory)
        return EX_OSERR;
    return problems->error_count ? EX_CONFIG : EX_OK;
}

int wb_conf_load(const char *path, enum wb_conf_use use, struct wb_conf **out,
                 struct wb_problems *problems)
{
    struct wb_loaded *loaded = new_loaded();
    int rc = loaded ? load(path, use, loaded, problems) : EX_OSERR;

    *out = NULL;
    if (rc == EX_OK)
        *out = &loaded->conf;
    else if (loaded)
        free_loaded(loaded);
    return rc;
}

/* The configuration is constant to all but its count of references. */
static struct wb_loaded *loaded_of(const struct wb_conf *conf)
{
    return (struct wb_loaded *)conf;
}

struct wb_conf *wb_conf_ref(const struct wb_conf *conf)
{
    struct wb_loaded *loaded = loaded_of(conf);

    atomic_fetch_add_explicit(&loaded->references, 1, memory_order_relaxed);
    return &loaded->conf;
}

void wb_conf_unref(const struct wb_conf *conf)
{
    struct wb_loaded *loaded = conf ? loaded_of(conf) : NULL;

    if (loaded && atomic_fetch_sub_explicit(&loaded->references, 1,
                                            memory_order_acq_rel) == 1)
        free_loaded(loaded);
}

void wb_conf_keep(struct wb_conf *conf, void *kept, void (*free_kept)(void *))
{
    loaded_of(conf)->kept = kept;
    loaded_of(conf)->free_kept = free_kept;
}

void *wb_conf_kept(const struct wb_conf *conf)
{
    return loaded_of(conf)->kept;
}

bool wb_conf_is_shared(const struct wb_conf *conf)
{
    return atomic_load_explicit(&loaded_of(conf)->references,
                                memory_order_acquire) > 1;
}

const char *wb_conf_queue_path(const struct wb_conf *conf, struct wb_pool *p,
                               const char *path)
{
    return *path == '/'
               ? wb_pool_strdup(p, path)
               : wb_pool_printf(p, "%s/%s", conf->queue_directory, path);
}

static const void *find(const struct wb_name_index *names, size_t count,
                        const char *name)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, names[middle].name);
        if (order == 0)
            return names[middle].item;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct wb_route *wb_conf_route(const struct wb_conf *conf,
                                     const char *name)
{
    return find(loaded_of(conf)->routes, conf->route_count, name);
}

const struct wb_listener *wb_conf_listener(const struct wb_conf *conf,
                                           const char *name)
{
    return find(loaded_of(conf)->listeners, conf->listener_count, name);
}

const struct wb_webhook *wb_conf_webhook(const struct wb_conf *conf,
                                         const char *name)
{
    for (size_t i = 0; i < conf->webhook_count; i++)
        if (strcmp(conf->webhooks[i].name, name) == 0)
            return &conf->webhooks[i];
    return NULL;
}

bool wb_strings_hold(const struct wb_strings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcasecmp(list->items[i], text) == 0)
            return true;
    return false;
}

/* item begins with its name. */
static int by_text(const void *text, const void *item)
{
    return strcasecmp(text, *(const char *const *)item);
}

/* bsearch wants items even where there are none. */
bool wb_strings_hold_sorted(const struct wb_strings *list, const char *text)
{
    return list->count > 0 && bsearch(text, list->items, list->count,
                                      sizeof *list->items, by_text) != NULL;
}

const struct wb_inbound_domain *
wb_conf_inbound_domain(const struct wb_conf *conf, const char *domain)
{
    if (conf->inbound_domain_count == 0)
        return NULL;
    return bsearch(domain, conf->inbound_domains, conf->inbound_domain_count,
                   sizeof *conf->inbound_domains, by_text);
}
