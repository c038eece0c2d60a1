/* Every option there is: one table for the parser, the checker, the tables'
 * columns and the manual page. */
#ifndef WB_CONF_SCHEMA_H
#define WB_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value must look like, and what it becomes. */
enum wb_option_type {
    WB_TYPE_TEXT,      /* const char *; "" becomes NULL */
    WB_TYPE_PATH,      /* const char *; made absolute, from the file's folder */
    WB_TYPE_WORD,      /* an enum, by words */
    WB_TYPE_FLAG,      /* bool: yes or no */
    WB_TYPE_NUMBER,    /* 32 bits, signed if min is negative */
    WB_TYPE_SIZE,      /* size_t, times scale */
    WB_TYPE_MODE,      /* mode_t, octal */
    WB_TYPE_LIST,      /* struct wb_strings */
    WB_TYPE_LOWER,     /* struct wb_strings in lower case */
    WB_TYPE_DOMAINS,   /* struct wb_strings in lower case */
    WB_TYPE_ADDRESSES, /* struct wb_addrlist */
    WB_TYPE_NETWORKS,  /* struct wb_network *, with its count at count_offset */
    WB_TYPE_COUNT
};

/* The option has no field of its own: its check puts it where it belongs. */
#define WB_NOT_STORED SIZE_MAX

struct wb_word {
    const char *text; /* NULL ends the list */
    int value;
    bool is_alias; /* understood, but not told */
};

struct wb_option {
    const char *name;
    enum wb_option_type type;
    size_t offset;        /* of the field, or WB_NOT_STORED */
    size_t count_offset;  /* WB_TYPE_NETWORKS */
    const char *fallback; /* the default, written as in a table's cell */
    int64_t min, max;     /* WB_TYPE_NUMBER, WB_TYPE_SIZE */
    size_t scale;         /* WB_TYPE_SIZE; 0 is 1 */
    const struct wb_word *words;
    const char *help;
};

struct wb_schema_section {
    const char *kind; /* "" for what stands outside of sections */
    bool has_title;
    bool is_single; /* may be given only once */
    bool is_apart;  /* has files of its own, and no place in waybill.conf */
    const struct wb_option *options;
    size_t count;
    const char *help;
};

/* All sections; [0] is what stands outside of them. */
const struct wb_schema_section *wb_schema(size_t *count);

/* NULL: there is none of that name. */
const struct wb_schema_section *wb_schema_section(const char *kind);
const struct wb_option *wb_schema_option(const struct wb_schema_section *in,
                                         const char *name);

bool wb_option_is_list(const struct wb_option *option);

#endif
