/* The configuration as it was written: sections, options and values as text,
 * each with its place. What reads it (libConfuse, tables) and what checks it
 * know each other by this alone. */
#ifndef WB_CONF_RAW_H
#define WB_CONF_RAW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "conf/problem.h"

struct wb_raw_value {
    const char *text;
    unsigned line;
};

struct wb_raw_option {
    const char *name;
    const char *file;
    unsigned line;
    unsigned twice_line; /* where it was given again; 0: it was not */
    struct wb_raw_value *values;
    size_t count; /* 0: an empty list */
};

struct wb_raw_section {
    const char *kind;  /* "route"; "" for what stands outside of sections */
    const char *title; /* NULL: none */
    const char *file;
    unsigned line;
    struct wb_raw_option *options;
    size_t option_count;
    struct wb_raw_section *next;
};

struct wb_raw {
    struct wb_pool *pool; /* holds all of it; made and freed by the caller */
    struct wb_raw_section *first;
    struct wb_raw_section *last;
    bool is_broken;        /* some of it could not be read: what seems to be
                            * missing may stand in the unread part */
    bool is_out_of_memory; /* some of it was lost */
};

/* Read path and, after it, what it includes. Errors go to problems; what
 * could be read is in raw all the same. */
void wb_raw_read(struct wb_raw *raw, const char *path,
                 struct wb_problems *problems);

/* The option of that name, or NULL. */
const struct wb_raw_option *wb_raw_find(const struct wb_raw_section *section,
                                        const char *name);

/* Add an empty section, option or value at the end; NULL when out of memory.
 * The strings are copied into pool, but for file and, in an option, name,
 * which must live as long. */
struct wb_raw_section *wb_raw_add_section(struct wb_raw *raw, const char *kind,
                                          const char *title, const char *file,
                                          unsigned line);
struct wb_raw_option *wb_raw_add_option(struct wb_pool *pool,
                                        struct wb_raw_section *section,
                                        const char *name, unsigned line);
struct wb_raw_value *wb_raw_add_value(struct wb_pool *pool,
                                      struct wb_raw_option *option,
                                      const char *text, unsigned line);

/* Is a row of a table; lives until the function returns. */
typedef void wb_row_function(void *context, const struct wb_raw_section *row);

/* Read a table of tab-separated cells, a line at a time: line 1 names the
 * options of a section of this kind (and "name", its title), each further
 * line is a section. Empty cells are options that are not given; the entries
 * of a list are parted by commas; '#' begins a comment line.
 * Returns false when the table could not be read to its end (told). */
bool wb_table_read(const char *path, const char *kind,
                   const struct wb_raw_option *named_by,
                   wb_row_function *function, void *context,
                   struct wb_problems *problems);

/* Open a file of text. Refused: what is neither a regular file nor a pipe
 * (/dev/zero never ends). A pipe that nobody writes to is empty; it does not
 * make the caller wait. Returns NULL with *why filled in. */
FILE *wb_raw_open(const char *path, const char **why);

/* Read a whole file of text, at most max_octets, into pool. Refused: what
 * wb_raw_open refuses, is too large, or holds a NUL. A byte order
 * mark is taken off.
 * Returns NULL with *why and *line (0: the file) filled in; *why is NULL when
 * out of memory. */
char *wb_text_read(struct wb_pool *pool, const char *path, size_t max_octets,
                   const char **why, unsigned *line);

/* path as seen from the folder of file; an absolute one stays. Lives in pool,
 * NULL when out of memory. */
const char *wb_path_beside(struct wb_pool *pool, const char *file,
                           const char *path);

#endif
