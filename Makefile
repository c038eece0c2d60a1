# waybill: decide where mail leaves and where it comes back to.
#
#   make            build everything into build/
#   make demo       see it work: a throwaway Postfix on loopback (MTA=sendmail:
#                   a Sendmail)
#   make check      every test (installs what is missing, where it may)
#   make fuzz       longer: libFuzzer on all that reads mail (FUZZ_SECONDS)
#   make fuzz-cover prove that the fuzz targets reach what they name
#   make bench      what the milter costs, against what any must (BENCH_ROUNDS)
#   make bench-routes  20,000 routes with accounts in a throwaway Postfix
#   make bench-rules   what 100,000 rules cost: each decision, loading, memory
#   make deb        a Debian package, in build/deb
#   make check-deb  longer, as root: build, install, upgrade and remove it in
#                   clean chroots (debootstrap, from this machine's mirror)
#   make install    DESTDIR and PREFIX are honoured

VERSION   = 0.1.0
PREFIX    = /usr/local
SBINDIR   = $(PREFIX)/sbin
BINDIR    = $(PREFIX)/bin
MANDIR    = $(PREFIX)/share/man
DATADIR   = $(PREFIX)/share/waybill
BASHDIR   = $(PREFIX)/share/bash-completion/completions
ZSHDIR    = $(PREFIX)/share/zsh/site-functions
FISHDIR   = $(PREFIX)/share/fish/vendor_completions.d
# Where systemd looks for a package's units; `make install` leaves them beside
# the sample, for the admin.
UNITDIR   = $(DATADIR)
SYSCONFDIR = /etc
B         = build
# The tests use Debian's own Python and its packages, whatever else is in PATH.
PYTHON    = /usr/bin/python3

PKGS      = libconfuse libpcre2-8 libcrypto jansson
# of the daemons alone
DAEMON_PKGS = libseccomp
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
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) $(DAEMON_PKGS) $(TOOL_PKGS) $(WEBHOOK_PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))
DAEMON_LIBS = $(shell pkg-config --libs $(DAEMON_PKGS))
TOOL_LIBS  = $(shell pkg-config --libs $(TOOL_PKGS))
WEBHOOK_LIBS = $(shell pkg-config --libs $(WEBHOOK_PKGS))

RULES_SRC  = $(wildcard rules/*/*.c)
MILTER_SRC = $(wildcard milter/*.c milter/base/*.c)
TOOL_SRC   = $(wildcard tool/*.c tool/*/*.c)
WEBHOOK_SRC = $(wildcard webhook/*.c webhook/*/*.c)
UNIT_SRC   = $(wildcard tests/unit/test_*.c)
FUZZ_SRC   = $(wildcard tests/fuzz/fuzz_*.c)
BENCH_SRC  = $(wildcard tests/bench/*.c)
RULES_OBJ  = $(RULES_SRC:%.c=$B/obj/%.o)
MILTER_OBJ = $(MILTER_SRC:%.c=$B/obj/%.o)
TOOL_OBJ   = $(TOOL_SRC:%.c=$B/obj/%.o)
WEBHOOK_OBJ = $(WEBHOOK_SRC:%.c=$B/obj/%.o)
BASE_OBJ   = $(filter $B/obj/milter/base/%,$(MILTER_OBJ))
# the load of `make bench`, and the filter that it compares with
BENCH_LOAD = answer client figures letter load wire
BENCH_BIN  = $B/bench/load $B/bench/floor
# what unit tests and fuzz targets are linked with
TESTED     = $B/libcallbacks.a $B/libwebhook.a $B/librules.a
UNIT_BIN   = $(UNIT_SRC:tests/unit/%.c=$B/unit/%)
ALL_SRC    = $(RULES_SRC) $(MILTER_SRC) $(TOOL_SRC) $(WEBHOOK_SRC) $(UNIT_SRC) $(FUZZ_SRC) \
             $(BENCH_SRC)
ALL_HDR    = $(wildcard rules/*/*.h milter/*.h milter/base/*.h tool/*.h tool/*/*.h \
             webhook/*.h webhook/*/*.h tests/unit/*.h tests/bench/*.h)

.PHONY: all unit demo check fuzz fuzz-cover bench bench-routes bench-rules deb deb-source check-deb \
        install uninstall clean \
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
	$(CC) $(LDFLAGS) -o $@ $(MILTER_OBJ) $B/librules.a -lmilter $(DAEMON_LIBS) $(PKG_LIBS)

# The callbacks and what they use, for tests that stand in for libmilter.
$B/libcallbacks.a: $(filter-out %/main.o %/daemon.o,$(MILTER_OBJ))
	@rm -f $@
	@ar rcs $@ $^

# What posts, without its main: the tool posts as well.
$B/libwebhook.a: $(filter-out %/main.o,$(WEBHOOK_OBJ)) $(BASE_OBJ)
	@rm -f $@
	@ar rcs $@ $^

$B/waybill-lmtp: $B/obj/webhook/main.o $B/libwebhook.a $B/librules.a
	$(CC) $(LDFLAGS) -o $@ $^ $(WEBHOOK_LIBS) $(DAEMON_LIBS) $(PKG_LIBS)

$B/waybill: $(TOOL_OBJ) $B/libwebhook.a $B/librules.a
	$(CC) $(LDFLAGS) -o $@ $(TOOL_OBJ) $B/libwebhook.a $B/librules.a \
		$(WEBHOOK_LIBS) $(PKG_LIBS) $(TOOL_LIBS)

$B/unit/%: tests/unit/%.c $(TESTED)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< \
		$(filter %.o,$^) $(TESTED) -lcmocka $(WEBHOOK_LIBS) $(DAEMON_LIBS) $(PKG_LIBS)

# What a unit test needs beside the core.
$B/unit/test_hints: $B/obj/tool/test/hints.o

$B/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# The load of `make bench`, and the filter that it compares with.
$B/bench/load: $(BENCH_LOAD:%=$B/obj/tests/bench/%.o)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

$B/bench/floor: $B/obj/tests/bench/floor.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ -lmilter

unit: $(UNIT_BIN) $(BENCH_BIN)

# ---- what a new user runs ---------------------------------------------------

# postfix or sendmail
MTA = postfix

# A second make, so that pkg-config is asked after the packages are there.
demo:
	@contrib/need build demo $(MTA)
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@WAYBILL_BUILD=$B $(PYTHON) tests/mta/demo.py $(MTA)

# Every test: once as built for use, then the parts that need no MTA under the
# sanitizers, and a clang build for its own warnings.
check:
	@contrib/need build demo postfix sendmail check
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
	@WAYBILL_BUILD=build/tsan $(PYTEST) $(TOGETHER) tests/dialogue
	@echo "== tests under the address and undefined behaviour sanitizers"
	@WAYBILL_BUILD=build/asan $(PYTEST) $(TOGETHER) tests/unit tests/conf tests/golden tests/dialogue tests/bench/test_load.py
	@echo "== all tests, with real mail servers"
	@WAYBILL_BUILD=$B $(PYTEST) $(TOGETHER) tests
	@echo "== tests that measure time, one by one"
	@WAYBILL_BUILD=$B $(PYTEST) -m alone tests

PYTEST = ASAN_OPTIONS=detect_leaks=1 TSAN_OPTIONS=suppressions=$(CURDIR)/tests/dialogue/tsan.supp PYTHONDONTWRITEBYTECODE=1 \
         $(PYTHON) -m pytest -q -p no:cacheprovider
JOBS   = $(shell nproc 2>/dev/null || echo 2)
# The tests mostly wait for servers: more of them than processors. Those of a
# file share servers. What measures time wants the machine for itself.
TOGETHER = -m "not alone" -n $$(($(JOBS) * 2)) --dist loadfile

# Longer than `make check`: each fuzz target for FUZZ_SECONDS. What it finds is
# left in the current folder; new inputs stay in build/fuzz/corpus.
FUZZ_SECONDS = 300
FUZZ_FLAGS   = -fsanitize=address,undefined -fno-sanitize-recover=all

fuzz:
	@contrib/need build check fuzz
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=clang B=build/fuzz HARDENING=-fPIE \
		SANITIZE="$(FUZZ_FLAGS) -fsanitize=fuzzer-no-link" $(TESTED:$B/%=build/fuzz/%)
	@for source in $(FUZZ_SRC); do \
		name=$$(basename $$source .c); kind=$${name#fuzz_}; \
		echo "== $$name, $(FUZZ_SECONDS) s"; mkdir -p build/fuzz/corpus/$$kind; \
		clang $(CPPFLAGS) -std=c17 -g -O1 -fPIE -pie $(FUZZ_FLAGS) -fsanitize=fuzzer \
			-o build/fuzz/$$name $$source $(TESTED:$B/%=build/fuzz/%) \
			$(WEBHOOK_LIBS) $(PKG_LIBS) && \
		build/fuzz/$$name -verbosity=0 -print_final_stats=1 \
			$$(ls tests/fuzz/words/$$kind 2>/dev/null | sed s/^/-dict=/) \
			-max_total_time=$(FUZZ_SECONDS) build/fuzz/corpus/$$kind \
			tests/fuzz/corpus/$$kind || exit 1; \
	done

# Does each target, with its corpus, reach what it says? A branch that it does
# not is an error, unless tests/fuzz/unreached says why.
COVER_FLAGS = -fprofile-instr-generate -fcoverage-mapping

fuzz-cover:
	@contrib/need build check fuzz
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=clang B=build/cover HARDENING=-fPIE \
		CFLAGS="-O0 -g" SANITIZE="$(COVER_FLAGS)" $(TESTED:$B/%=build/cover/%)
	@failed=0; for source in $(FUZZ_SRC); do \
		name=$$(basename $$source .c); \
		clang $(CPPFLAGS) -std=c17 -g -O0 -fPIE -pie $(COVER_FLAGS) -fsanitize=fuzzer \
			-o build/cover/$$name $$source $(TESTED:$B/%=build/cover/%) \
			$(WEBHOOK_LIBS) $(PKG_LIBS) && \
		$(PYTHON) tests/fuzz/coverage.py build/cover/$$name $$source || failed=1; \
	done; exit $$failed


# What the milter costs beside a filter that does next to nothing, in tables and
# pictures below build/bench. tests/bench/bench.py tells what else can be set. It takes about
# three minutes; with BENCH_ROUNDS=1 and BENCH_MAIL=0, half a minute.
BENCH_ROUNDS = 15

bench:
	@contrib/need build demo bench
	@$(MAKE) --no-print-directory -s -j$(JOBS) all $(BENCH_BIN)
	@WAYBILL_BUILD=$B BENCH_ROUNDS=$(BENCH_ROUNDS) $(PYTHON) tests/bench/bench.py

# What very many routes cost, and that no mail takes a wrong account.
BENCH_ROUTES = 20000

bench-routes:
	@contrib/need build demo postfix
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@WAYBILL_BUILD=$B BENCH_ROUTES=$(BENCH_ROUTES) $(PYTHON) tests/mta/bench_routes.py

# What a decision costs, and what loading costs, against the number of rules.
$B/bench/%: tests/bench/%.c $B/obj/milter/current.o $B/librules.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< \
		$B/obj/milter/current.o $B/librules.a $(PKG_LIBS)

bench-rules:
	@contrib/need build
	@$(MAKE) --no-print-directory -s -j$(JOBS) $B/bench/decide $B/bench/reload
	@$B/bench/decide
	@$B/bench/reload

# ---- installing -------------------------------------------------------------

INSTALL = install
MAN1 = contrib/man/waybill.1
MAN5 = contrib/man/waybill.conf.5
MAN8 = contrib/man/waybill-milter.8 contrib/man/waybill-lmtp.8
UNITS = waybill-milter.service waybill-lmtp.service \
        waybill-rotate.service waybill-rotate.timer \
        waybill-pop.service waybill-pop.timer \
        waybill-test.service waybill-test.timer \
        waybill-metrics.service waybill-metrics.timer

install: all
	$(INSTALL) -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 \
		$(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(DATADIR)/presets \
		$(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR) \
		$(DESTDIR)$(UNITDIR)
	$(INSTALL) -m 755 $B/waybill-milter $B/waybill-lmtp $(DESTDIR)$(SBINDIR)/
	$(INSTALL) -m 755 $B/waybill $(DESTDIR)$(BINDIR)/
	$(INSTALL) -m 644 $(MAN1) $(DESTDIR)$(MANDIR)/man1/
	$(INSTALL) -m 644 $(MAN5) $(DESTDIR)$(MANDIR)/man5/
	$(INSTALL) -m 644 $(MAN8) $(DESTDIR)$(MANDIR)/man8/
	$(INSTALL) -m 644 contrib/waybill.conf.sample $(DESTDIR)$(DATADIR)/
	$(INSTALL) -m 644 rules/presets/*.conf $(DESTDIR)$(DATADIR)/presets/
	$(INSTALL) -m 644 contrib/completions/waybill.bash $(DESTDIR)$(BASHDIR)/waybill
	$(INSTALL) -m 644 contrib/completions/_waybill $(DESTDIR)$(ZSHDIR)/
	$(INSTALL) -m 644 contrib/completions/waybill.fish $(DESTDIR)$(FISHDIR)/
	for unit in $(UNITS); do \
		sed 's|/usr/local/\(s*bin\)/|$(PREFIX)/\1/|' contrib/$$unit \
			>$(DESTDIR)$(UNITDIR)/$$unit && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	done

# The configuration in $(SYSCONFDIR)/waybill is the admin's and stays.
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/waybill-milter \
		$(DESTDIR)$(SBINDIR)/waybill-lmtp $(DESTDIR)$(BINDIR)/waybill \
		$(DESTDIR)$(MANDIR)/man1/waybill.1 \
		$(DESTDIR)$(MANDIR)/man5/waybill.conf.5 \
		$(DESTDIR)$(MANDIR)/man8/waybill-milter.8 \
		$(DESTDIR)$(MANDIR)/man8/waybill-lmtp.8 \
		$(DESTDIR)$(BASHDIR)/waybill $(DESTDIR)$(ZSHDIR)/_waybill \
		$(DESTDIR)$(FISHDIR)/waybill.fish
	rm -f $(UNITS:%=$(DESTDIR)$(UNITDIR)/%)
	rm -rf $(DESTDIR)$(DATADIR)

# ---- Debian -----------------------------------------------------------------

# dpkg wants its folder at the top, so the tree is copied to where it may be.
DEB_TREE  = $B/deb/waybill-$(VERSION)
DEB_FLAGS = -us -uc
DEB_PARTS = README INSTALL LICENSE Makefile contrib milter rules tests tool webhook

deb-source:
	@grep -q '^waybill ($(VERSION))' contrib/debian/changelog || \
		{ echo "contrib/debian/changelog: its first entry is not of $(VERSION)" >&2; exit 1; }
	@rm -rf $(DEB_TREE)
	@mkdir -p $(DEB_TREE)
	@tar -c --exclude=__pycache__ --exclude=.pytest_cache $(DEB_PARTS) | tar -x -C $(DEB_TREE)
	@mv $(DEB_TREE)/contrib/debian $(DEB_TREE)/debian

deb: deb-source
	@contrib/need build deb
	@cd $(DEB_TREE) && dpkg-buildpackage $(DEB_FLAGS)
	@ls $B/deb/waybill_*

check-deb:
	@contrib/need build demo check deb check-deb
	@WAYBILL_BUILD=$B PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -q -p no:cacheprovider -x \
		tests/package/check_deb.py

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

-include $(shell find $B/obj $B/unit -name '*.d' 2>/dev/null)
