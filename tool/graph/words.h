/* What the graph and the page call things. */
#ifndef WB_GRAPH_WORDS_H
#define WB_GRAPH_WORDS_H

#include "conf/conf.h"

typedef void wb_put(FILE *out, const char *text, size_t max_chars);

/* Each by put, at most max_entries of a list, then "and N more". Nothing for a
 * list that is empty. */
void wb_put_addresses(FILE *out, wb_put *put, const struct wb_addrlist *list,
                      size_t max_entries);
void wb_put_strings(FILE *out, wb_put *put, const struct wb_strings *list,
                    size_t max_entries);
void wb_put_networks(FILE *out, wb_put *put, const struct wb_network *list,
                     size_t count, size_t max_entries);

const char *wb_tls_word(enum wb_tls tls);    /* "no TLS", "STARTTLS", "TLS" */
const char *wb_auth_word(enum wb_auth auth); /* "PLAIN" */
const char *wb_deliver_word(enum wb_bounces_to where);

#endif
