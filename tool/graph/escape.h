/* Texts of the configuration, which may be anything, in HTML and in Graphviz's
 * language. What is no UTF-8, a control character, or turns the direction of
 * writing becomes U+FFFD. */
#ifndef WB_GRAPH_ESCAPE_H
#define WB_GRAPH_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* At most max_chars of text; "..." tells of more. In HTML it may stand between
 * tags and in quoted attributes; in dot within a quoted label. */
void wb_put_html(FILE *out, const char *text, size_t max_chars);
void wb_put_dot(FILE *out, const char *text, size_t max_chars);

/* The host of a webhook, and its port: the rest of url may be a secret, not
 * only user, password and query, but the path as well. The octets to be shown
 * begin at *from; returns how many. */
size_t wb_url_shown(const char *url, const char **from);

#endif
