# waybill: decide where mail leaves and where it comes back to.
#
#   make            build everything into build/
#   make demo       see it work: a throwaway Postfix on loopback
#   make check      every test (installs what is missing, where it may)
#   make fuzz       longer: libFuzzer on what reads mail (FUZZ_SECONDS)
#   make fuzz-cover prove that the fuzz targets reach what they name
#   make bench      what the milter costs, against what any must (BENCH_ROUNDS)
#   make bench-routes  20,000 routes with accounts in a throwaway Postfix
#   make install    DESTDIR and PREFIX are honoured

VERSION   = 0.1.0
PREFIX    = /usr/local
SBINDIR   = $(PREFIX)/sbin
BINDIR    = $(PREFIX)/bin
MANDIR    = $(PREFIX)/share/man
DATADIR   = $(PREFIX)/share/waybill
SYSCONFDIR = /etc
B         = build
# The tests use Debian's own Python and its packages, whatever else is in PATH.
PYTHON    = /usr/bin/python3

PKGS      = libconfuse libpcre2-8 libcrypto jansson
# of the tool alone
TOOL_PKGS = libpsl libidn2 libsasl2
# of what posts
WEBHOOK_PKGS = libcurl libssl
WARNINGS  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 \
            -Wmissing-prototypes -Wstrict-prototypes -Werror
CFLAGS    = -O2 -g
HARDENING = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
SANITIZE  =
override CPPFLAGS += -D_GNU_SOURCE -DWB_VERSION='"$(VERSION)"' -I. -Irules
override CFLAGS   += -std=c17 -pthread $(WARNINGS) $(HARDENING) $(SANITIZE)
override LDFLAGS  += -pie -pthread -Wl,-z,relro,-z,now $(SANITIZE)
# Asked for when something is built, so that `make demo` can install first.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) $(TOOL_PKGS) $(WEBHOOK_PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))
TOOL_LIBS  = $(shell pkg-config --libs $(TOOL_PKGS))
WEBHOOK_LIBS = $(shell pkg-config --libs $(WEBHOOK_PKGS))

RULES_SRC  = $(wildcard rules/*/*.c)
MILTER_SRC = $(wildcard milter/*.c milter/base/*.c)
TOOL_SRC   = $(wildcard tool/*.c tool/maps/*.c tool/dns/*.c)
WEBHOOK_SRC = $(wildcard webhook/*.c webhook/*/*.c)
UNIT_SRC   = $(wildcard tests/unit/test_*.c)
FUZZ_SRC   = $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC  = $(wildcard tests/bench/*.c)
RULES_OBJ  = $(RULES_SRC:%.c=$B/obj/%.o)
MILTER_OBJ = $(MILTER_SRC:%.c=$B/obj/%.o)
TOOL_OBJ   = $(TOOL_SRC:%.c=$B/obj/%.o)
WEBHOOK_OBJ = $(WEBHOOK_SRC:%.c=$B/obj/%.o)
BASE_OBJ   = $(filter $B/obj/milter/base/%,$(MILTER_OBJ))
BENCH_OBJ  = $(BENCH_SRC:%.c=$B/obj/%.o)
BENCH_BIN  = $B/bench/load $B/bench/floor
UNIT_BIN   = $(UNIT_SRC:tests/unit/%.c=$B/unit/%)
ALL_SRC    = $(RULES_SRC) $(MILTER_SRC) $(TOOL_SRC) $(WEBHOOK_SRC) $(UNIT_SRC) $(FUZZ_SRC) \
             $(BENCH_SRC)
ALL_HDR    = $(wildcard rules/*/*.h milter/*.h milter/base/*.h tool/*.h tool/maps/*.h \
             tool/dns/*.h webhook/*.h webhook/*/*.h tests/unit/*.h tests/bench/*.h)

.PHONY: all unit demo check fuzz fuzz-cover bench bench-routes install uninstall clean \
        format analyze

all: $B/waybill-milter $B/waybill-lmtp $B/waybill $B/presets

# Beside the programs, so that they find the presets before they are installed.
$B/presets:
	@mkdir -p $B
	@ln -sfn $(CURDIR)/rules/presets $@

$B/librules.a: $(RULES_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$B/waybill-milter: $(MILTER_OBJ) $B/librules.a
	$(CC) $(LDFLAGS) -o $@ $(MILTER_OBJ) $B/librules.a -lmilter $(PKG_LIBS)

# What posts, without its main: the tool posts as well.
$B/libwebhook.a: $(filter-out %/main.o,$(WEBHOOK_OBJ)) $(BASE_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$B/waybill-lmtp: $B/obj/webhook/main.o $B/libwebhook.a $B/librules.a
	$(CC) $(LDFLAGS) -o $@ $^ $(WEBHOOK_LIBS) $(PKG_LIBS)

$B/waybill: $(TOOL_OBJ) $B/libwebhook.a $B/librules.a
	$(CC) $(LDFLAGS) -o $@ $(TOOL_OBJ) $B/libwebhook.a $B/librules.a \
		$(WEBHOOK_LIBS) $(PKG_LIBS) $(TOOL_LIBS)

$B/unit/%: tests/unit/%.c $B/libwebhook.a $B/librules.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< \
		$B/libwebhook.a $B/librules.a -lcmocka $(WEBHOOK_LIBS) $(PKG_LIBS)

$B/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# The load of `make bench`, and the filter that it compares with.
$B/bench/load: $(filter-out %/floor.o,$(BENCH_OBJ))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

$B/bench/floor: $B/obj/tests/bench/floor.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lmilter

unit: $(UNIT_BIN) $(BENCH_BIN)

# ---- what a new user runs ---------------------------------------------------

# A second make, so that pkg-config is asked after the packages are there.
demo:
	@contrib/need build demo
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@WAYBILL_BUILD=$B $(PYTHON) tests/mta/demo.py

# Every test: once as built for use, then the parts that need no MTA under the
# sanitizers, and a clang build for its own warnings.
check:
	@contrib/need build demo check
	@echo "== build (gcc)"
	@$(MAKE) --no-print-directory -s -j$(JOBS) all unit
	@echo "== build (clang)"
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=clang B=build/clang all unit
	@echo "== build (address and undefined behaviour sanitizers)"
	@$(MAKE) --no-print-directory -s -j$(JOBS) B=build/asan HARDENING=-fPIE \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" all unit
	@echo "== build (thread sanitizer)"
	@$(MAKE) --no-print-directory -s -j$(JOBS) B=build/tsan HARDENING=-fPIE \
		SANITIZE=-fsanitize=thread all
	@echo "== the core stands alone"
	@tests/core-stands-alone $B/librules.a
	@echo "== tests under the thread sanitizer"
	@WAYBILL_BUILD=build/tsan $(PYTEST) tests/dialogue
	@echo "== tests under the address and undefined behaviour sanitizers"
	@WAYBILL_BUILD=build/asan $(PYTEST) tests/unit tests/conf tests/golden tests/dialogue tests/bench/test_load.py
	@echo "== all tests, with real mail servers"
	@WAYBILL_BUILD=$B $(PYTEST) tests

PYTEST = ASAN_OPTIONS=detect_leaks=1 TSAN_OPTIONS=suppressions=$(CURDIR)/tests/dialogue/tsan.supp PYTHONDONTWRITEBYTECODE=1 \
         $(PYTHON) -m pytest -q -p no:cacheprovider
JOBS   = $(shell nproc 2>/dev/null || echo 2)

# Longer than `make check`: each fuzz target for FUZZ_SECONDS. What it finds is
# left in the current folder; new inputs stay in build/fuzz/corpus.
FUZZ_SECONDS = 300
FUZZ_FLAGS   = -fsanitize=address,undefined -fno-sanitize-recover=all

fuzz:
	@contrib/need build check fuzz
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=clang B=build/fuzz HARDENING=-fPIE \
		SANITIZE="$(FUZZ_FLAGS) -fsanitize=fuzzer-no-link" build/fuzz/librules.a build/fuzz/libwebhook.a
	@for source in $(FUZZ_SRC); do \
		name=$$(basename $$source .c); kind=$${name#fuzz_}; \
		echo "== $$name, $(FUZZ_SECONDS) s"; mkdir -p build/fuzz/corpus/$$kind; \
		clang $(CPPFLAGS) -std=c17 -g -O1 -fPIE -pie $(FUZZ_FLAGS) -fsanitize=fuzzer \
			-o build/fuzz/$$name $$source build/fuzz/libwebhook.a build/fuzz/librules.a \
			$(WEBHOOK_LIBS) $(PKG_LIBS) && \
		build/fuzz/$$name -verbosity=0 -print_final_stats=1 \
			-max_total_time=$(FUZZ_SECONDS) build/fuzz/corpus/$$kind \
			tests/fuzz/corpus/$$kind || exit 1; \
	done

# Does each target, with its corpus, reach what it says? A branch that it does
# not is an error, unless tests/fuzz/unreached says why.
COVER_FLAGS = -fprofile-instr-generate -fcoverage-mapping

fuzz-cover:
	@contrib/need build check fuzz
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=clang B=build/cover HARDENING=-fPIE \
		CFLAGS="-O0 -g" SANITIZE="$(COVER_FLAGS)" build/cover/librules.a
	@failed=0; for source in $(FUZZ_SRC); do \
		name=$$(basename $$source .c); \
		clang $(CPPFLAGS) -std=c17 -g -O0 -fPIE -pie $(COVER_FLAGS) -fsanitize=fuzzer \
			-o build/cover/$$name $$source build/cover/librules.a $(PKG_LIBS) && \
		$(PYTHON) tests/fuzz/coverage.py build/cover/$$name $$source || failed=1; \
	done; exit $$failed


# What the milter costs beside a filter that does next to nothing, in tables and
# build/bench. tests/bench/bench.py tells what else can be set. It takes about
# three minutes; with BENCH_ROUNDS=1 and BENCH_MAIL=0, half a minute.
BENCH_ROUNDS = 15

bench:
	@contrib/need build demo bench
	@$(MAKE) --no-print-directory -s -j$(JOBS) all $(BENCH_BIN)
	@WAYBILL_BUILD=$B BENCH_ROUNDS=$(BENCH_ROUNDS) $(PYTHON) tests/bench/bench.py

# What very many routes cost, and that no mail takes a wrong account.
BENCH_ROUTES = 20000

bench-routes:
	@contrib/need build demo
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@WAYBILL_BUILD=$B BENCH_ROUTES=$(BENCH_ROUTES) $(PYTHON) tests/mta/bench_routes.py

# ---- installing -------------------------------------------------------------

INSTALL = install
MAN1 = contrib/man/waybill.1
MAN5 = contrib/man/waybill.conf.5
MAN8 = contrib/man/waybill-milter.8 contrib/man/waybill-lmtp.8

install: all
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 \
		$(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DATADIR)/presets
	$(INSTALL) -m 755 $B/waybill-milter $B/waybill-lmtp $(DESTDIR)$(SBINDIR)/
	$(INSTALL) -m 755 $B/waybill $(DESTDIR)$(BINDIR)/
	$(INSTALL) -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1/
	$(INSTALL) -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5/
	$(INSTALL) -m 644 $(MAN8) $(DESTDIR)$(MANDIR)/man8/
	$(INSTALL) -m 644 contrib/waybill.conf.sample $(DESTDIR)$(DATADIR)/
	$(INSTALL) -m 644 rules/presets/*.conf $(DESTDIR)$(DATADIR)/presets/
	$(INSTALL) -m 644 contrib/waybill-milter.service \
		contrib/waybill-lmtp.service $(DESTDIR)$(DATADIR)/

# The configuration in $(SYSCONFDIR)/waybill is the admin's and stays.
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/waybill-milter \
		$(DESTDIR)$(SBINDIR)/waybill-lmtp $(DESTDIR)$(BINDIR)/waybill \
		$(DESTDIR)$(MANDIR)/man1/waybill.1 \
		$(DESTDIR)$(MANDIR)/man5/waybill.conf.5 \
		$(DESTDIR)$(MANDIR)/man8/waybill-milter.8 \
		$(DESTDIR)$(MANDIR)/man8/waybill-lmtp.8
	rm -rf $(DESTDIR)$(DATADIR)

# ---- keeping it in shape ----------------------------------------------------

clean:
	rm -rf $B

format:
	clang-format -i $(ALL_SRC) $(ALL_HDR)

analyze:
	@contrib/need build check analyze
	clang-tidy --quiet $(RULES_SRC) $(MILTER_SRC) $(TOOL_SRC) $(WEBHOOK_SRC) -- -std=c17 \
		$(CPPFLAGS) $(PKG_CFLAGS)
	cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability \
		--inline-suppr -I. -Irules -D_GNU_SOURCE -DWB_VERSION='""' \
		rules milter tool webhook

-include $(shell find $B -name '*.d' 2>/dev/null)
