/* waybill.conf(5) and the program must tell the same of every option. */
#include "unit.h"

#include <stdlib.h>

#include "conf/schema.h"

/* The programs run in tests/unit. */
#define MANUAL "../../contrib/man/waybill.conf.5"

#define ITEM       ".It Ic "
#define SUBSECTION ".Ss "
#define TOP_TITLE  "Outside of sections"

enum { MAX_ITEMS = 500, MAX_LINE_OCTETS = 400 };

/* One option as the manual has it, below OPTIONS. */
struct item {
    char kind[40]; /* of its subsection; "" for TOP_TITLE */
    char name[80];
    char *text; /* the lines up to the next item, joined by '\n' */
    size_t octets;
};

struct manual {
    struct item items[MAX_ITEMS];
    size_t count;
    char kinds[20][40]; /* of all subsections */
    size_t kind_count;
};

static struct manual manual;

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The first word of text, cut off where out is full. */
static void take_word(const char *text, char *out, size_t room)
{
    size_t octets = strcspn(text, " ");

    if (octets >= room)
        octets = room - 1;
    memcpy(out, text, octets);
    out[octets] = '\0';
}

static void take_kind(const char *title, char *out, size_t room)
{
    take_word(strcmp(title, TOP_TITLE) == 0 ? "" : title, out, room);
}

static void add_text(struct item *item, const char *line)
{
    size_t octets = strlen(line);

    item->text = realloc(item->text, item->octets + octets + 3);
    assert_non_null(item->text);
    if (item->octets == 0)
        item->text[item->octets++] = '\n';
    memcpy(item->text + item->octets, line, octets);
    item->octets += octets;
    item->text[item->octets++] = '\n';
    item->text[item->octets] = '\0';
}

static void take_line(struct manual *m, const char *line)
{
    struct item *item;

    if (begins(line, SUBSECTION)) {
        assert_true(m->kind_count < COUNT(m->kinds));
        take_kind(line + strlen(SUBSECTION), m->kinds[m->kind_count++],
                  sizeof m->kinds[0]);
    } else if (begins(line, ITEM)) {
        assert_true(m->kind_count > 0 && m->count < MAX_ITEMS);
        item = &m->items[m->count++];
        strcpy(item->kind, m->kinds[m->kind_count - 1]);
        take_word(line + strlen(ITEM), item->name, sizeof item->name);
    } else if (m->count > 0) {
        add_text(&m->items[m->count - 1], line);
    }
}

static int read_manual(void **state)
{
    FILE *in = fopen(MANUAL, "r");
    char line[MAX_LINE_OCTETS];
    bool is_within = false;

    (void)state;
    if (in == NULL) {
        print_error("%s cannot be opened; is this tests/unit?\n", MANUAL);
        return -1;
    }
    while (fgets(line, sizeof line, in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (begins(line, ".Sh "))
            is_within = strcmp(line, ".Sh OPTIONS") == 0;
        else if (is_within)
            take_line(&manual, line);
    }
    fclose(in);
    return 0;
}

static int free_manual(void **state)
{
    (void)state;
    for (size_t i = 0; i < manual.count; i++)
        free(manual.items[i].text);
    return 0;
}

static const struct item *find(const char *kind, const char *name,
                               size_t *times)
{
    const struct item *found = NULL;

    *times = 0;
    for (size_t i = 0; i < manual.count; i++) {
        const struct item *item = &manual.items[i];

        if (strcmp(item->kind, kind) != 0 || strcmp(item->name, name) != 0)
            continue;
        found = item;
        ++*times;
    }
    return found;
}

/* Complain of one option; counted, so that all of them are told. */
static void __attribute__((format(printf, 4, 5)))
blame(unsigned *faults, const char *kind, const char *name, const char *format,
      ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_error("waybill.conf(5): %s%s%s: %s\n", kind, *kind ? " " : "", name,
                text);
    ++*faults;
}

/* A macro's first argument: ".Ql 0660 ." says 0660. */
static bool says(const char *text, const char *macro, const char *word)
{
    char wanted[MAX_LINE_OCTETS];
    const char *at = text;

    snprintf(wanted, sizeof wanted, "\n.%s %s", macro, word);
    while ((at = strstr(at, wanted)) != NULL) {
        at += strlen(wanted);
        if (*at == '\n' || *at == ' ')
            return true;
    }
    return false;
}

/* What stands from "Default:" on; NULL: there is no such line. */
static const char *default_of(const char *text)
{
    const char *at = strstr(text, "\nDefault:");

    return at == NULL ? NULL : at + strlen("\nDefault:");
}

static void check_fallback(const struct wb_option *o, const struct item *item,
                           unsigned *faults)
{
    const char *told = default_of(item->text);
    char list[MAX_LINE_OCTETS];
    char *rest = NULL;

    if (told == NULL) {
        blame(faults, item->kind, item->name, "no line begins with Default:");
        return;
    }
    snprintf(list, sizeof list, "%s", o->fallback);
    for (char *s = strtok_r(list, ", ", &rest); s != NULL;
         s = strtok_r(NULL, ", ", &rest))
        if (!says(told, "Ql", s))
            blame(faults, item->kind, item->name,
                  "the default is %s, and .Ql %s does not say so", o->fallback,
                  s);
}

static void check_no_fallback(const struct item *item, unsigned *faults)
{
    const char *told = default_of(item->text);

    if (told == NULL && strstr(item->text, "\nRequired.\n") == NULL)
        blame(faults, item->kind, item->name,
              "neither Required. nor Default: TEXT stands there");
    /* "Default:" alone on its line is followed by a literal value. */
    if (told != NULL && *told != ' ')
        blame(faults, item->kind, item->name,
              "a literal default is told, and the option has none");
}

/* Does text hold "1 to 65535", if need be across a line's end? */
static bool tells_bounds(const char *text, int64_t min, int64_t max)
{
    char forms[3][64];

    snprintf(forms[0], sizeof forms[0], "%lld to %lld", (long long)min,
             (long long)max);
    snprintf(forms[1], sizeof forms[1], "%lld\nto %lld", (long long)min,
             (long long)max);
    snprintf(forms[2], sizeof forms[2], "%lld to\n%lld", (long long)min,
             (long long)max);
    for (size_t i = 0; i < COUNT(forms); i++)
        if (strstr(text, forms[i]) != NULL)
            return true;
    return false;
}

/* Each word, and no other, stands as ".Cm WORD" or ".It Cm WORD". */
static void check_words(const struct wb_option *o, const struct item *item,
                        unsigned *faults)
{
    const char *at = item->text;

    for (const struct wb_word *w = o->words; w->text != NULL; w++)
        if (!w->is_alias && !says(item->text, "Cm", w->text) &&
            !says(item->text, "It Cm", w->text))
            blame(faults, item->kind, item->name, ".Cm %s is missing", w->text);
    while ((at = strstr(at, "\n.Cm ")) != NULL) {
        char word[80];
        bool is_known = false;

        at += strlen("\n.Cm ");
        snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " \n"), at);
        for (const struct wb_word *w = o->words; w->text != NULL; w++)
            is_known = is_known || strcmp(w->text, word) == 0;
        if (!is_known)
            blame(faults, item->kind, item->name, "there is no word %s", word);
    }
}

static void check_option(const char *kind, const struct wb_option *o,
                         unsigned *faults)
{
    size_t times;
    const struct item *item = find(kind, o->name, &times);
    bool is_number = o->type == WB_TYPE_NUMBER || o->type == WB_TYPE_SIZE;

    if (item == NULL || item->text == NULL) {
        blame(faults, kind, o->name, "is not documented");
        return;
    }
    if (times != 1)
        blame(faults, kind, o->name, "is documented %zu times", times);
    if (o->fallback != NULL)
        check_fallback(o, item, faults);
    else
        check_no_fallback(item, faults);
    if (is_number && !tells_bounds(item->text, o->min, o->max))
        blame(faults, kind, o->name, "\"%lld to %lld\" is missing",
              (long long)o->min, (long long)o->max);
    if (o->words != NULL)
        check_words(o, item, faults);
}

static void every_option_is_documented(void **state)
{
    unsigned faults = 0;
    size_t count;
    const struct wb_schema_section *all = wb_schema(&count);

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < all[i].count; k++)
            check_option(all[i].kind, &all[i].options[k], &faults);
    assert_int_equal(faults, 0);
}

static void what_is_documented_exists(void **state)
{
    unsigned faults = 0;

    (void)state;
    assert_true(manual.count > 0);
    for (size_t i = 0; i < manual.count; i++) {
        const struct item *item = &manual.items[i];
        const struct wb_schema_section *s = wb_schema_section(item->kind);

        if (s == NULL || wb_schema_option(s, item->name) == NULL)
            blame(&faults, item->kind, item->name, "there is no such option");
    }
    assert_int_equal(faults, 0);
}

static void every_section_is_documented(void **state)
{
    unsigned faults = 0;
    size_t count;
    const struct wb_schema_section *all = wb_schema(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        size_t times = 0;

        for (size_t k = 0; k < manual.kind_count; k++)
            times += strcmp(manual.kinds[k], all[i].kind) == 0;
        if (times != 1)
            blame(&faults, all[i].kind, "(section)",
                  "has %zu subsections below OPTIONS", times);
    }
    for (size_t k = 0; k < manual.kind_count; k++)
        if (wb_schema_section(manual.kinds[k]) == NULL)
            blame(&faults, manual.kinds[k], "(section)", "does not exist");
    assert_int_equal(faults, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_documented),
        cmocka_unit_test(what_is_documented_exists),
        cmocka_unit_test(every_section_is_documented),
    };

    return cmocka_run_group_tests(tests, read_manual, free_manual);
}
