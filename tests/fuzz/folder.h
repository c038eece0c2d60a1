/* A folder of a fuzz target's own, where the code under test wants files. */
#ifndef WB_FUZZ_FOLDER_H
#define WB_FUZZ_FOLDER_H

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static char folder[32];

static void folder_make(void)
{
    strcpy(folder, "/tmp/waybill-fuzz-XXXXXX");
    PROMISE(mkdtemp(folder) != NULL);
}

/* Valid until the next call. */
static const char *folder_path(const char *name)
{
    static char path[320]; /* a name has at most 255 octets */

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void folder_write(const char *name, const void *octets, size_t count)
{
    FILE *out = fopen(folder_path(name), "wb");

    PROMISE(out != NULL);
    PROMISE(count == 0 || fwrite(octets, 1, count, out) == count);
    PROMISE(fclose(out) == 0);
    PROMISE(chmod(folder_path(name), 0600) == 0);
}

/* With the files in it. */
static void folder_remove(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    PROMISE(dir != NULL);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            PROMISE(unlink(folder_path(entry->d_name)) == 0);
    closedir(dir);
    PROMISE(rmdir(folder) == 0);
}

#endif
