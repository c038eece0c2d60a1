/* The answer that a letter must get, made from a text. */
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/letter.h"

enum { LABEL_OCTETS = 8, WORDS_MAX = 3 };

/* One line, taken apart in place: pointers into the text. */
struct line {
    const char *words[WORDS_MAX];
    size_t octets[WORDS_MAX];
    unsigned count;
};

static const struct {
    const char *word;
    unsigned least, most; /* arguments */
    char command, command_with_most;
} kinds[] = {
    {"addheader", 2, 2, SMFIR_ADDHEADER, SMFIR_ADDHEADER},
    {"chgfrom", 1, 1, SMFIR_CHGFROM, SMFIR_CHGFROM},
    {"delrcpt", 1, 1, SMFIR_DELRCPT, SMFIR_DELRCPT},
    {"addrcpt", 1, 2, SMFIR_ADDRCPT, SMFIR_ADDRCPT_PAR},
};

static void add_filled_in(struct wire *out, const char *text, size_t octets,
                          const char *recipient)
{
    const char *digit = strstr(recipient, ".bench.test") - 1;

    for (size_t i = 0; i < octets; i++) {
        bool is_place = text[i] == '%' && i + 1 < octets;
        char kind = is_place ? text[++i] : '\0';

        if (!is_place)
            wire_add(out, &text[i], 1);
        else if (kind == 'r')
            wire_add(out, recipient, strlen(recipient));
        else if (kind == 'd')
            wire_add(out, digit, 1);
        else
            for (int n = 0; n < LABEL_OCTETS; n++)
                wire_add(out, &(char){LETTER_ANY_BASE32}, 1);
    }
    wire_add(out, "", 1);
}

static struct line take_apart(const char *text, size_t octets)
{
    struct line line = {.count = 0};
    const char *end = text + octets;

    while (text <= end && line.count < WORDS_MAX) {
        const char *tab = memchr(text, '\t', (size_t)(end - text));
        const char *stop = tab != NULL ? tab : end;

        line.words[line.count] = text;
        line.octets[line.count++] = (size_t)(stop - text);
        text = stop + 1;
    }
    return line;
}

static bool add_line(struct wire *out, const struct line *line,
                     const char *recipient)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        unsigned arguments = line->count - 1;

        if (strlen(kinds[i].word) != line->octets[0] ||
            memcmp(kinds[i].word, line->words[0], line->octets[0]) != 0)
            continue;
        if (arguments < kinds[i].least || arguments > kinds[i].most)
            return false;
        wire_begin(out, arguments == kinds[i].most ? kinds[i].command_with_most
                                                   : kinds[i].command);
        for (unsigned w = 1; w < line->count; w++)
            add_filled_in(out, line->words[w], line->octets[w], recipient);
        wire_end(out);
        return true;
    }
    return false;
}

/* The lines of a run, each beginning with "*", or one line without. Returns
 * where the next begins, or NULL if one is not understood. */
static const char *add_run(struct wire *out, const char *text, bool is_each,
                           const char *recipient)
{
    do {
        size_t octets = strcspn(text, "\n");
        struct line line = take_apart(text + is_each, octets - is_each);

        if (!add_line(out, &line, recipient))
            return NULL;
        text += octets;
        text += *text == '\n';
    } while (is_each && *text == '*');
    return text;
}

const char *letter_answer(const struct letters *l, uint64_t message,
                          struct wire *out)
{
    const char *text = l->answer != NULL ? l->answer : "";

    while (*text != '\0') {
        const bool is_each = *text == '*';
        const unsigned times = is_each ? l->recipients : 1;
        const char *next = NULL;

        for (unsigned i = 0; i < times; i++) {
            char recipient[LETTER_ADDRESS_MAX_OCTETS];

            letter_recipient(l, message, i, recipient);
            next = add_run(out, text, is_each, recipient);
            if (next == NULL)
                return text;
        }
        text = next;
    }
    return NULL;
}
