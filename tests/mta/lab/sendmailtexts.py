"""The files of a throwaway Sendmail. sendmail.py says what the {words} mean."""

# What stays the same for each instance is said in words of the site's own
# sendmail.mc; what a test adds stands before MAILER(), where an admin has it.
SENDMAIL_MC = """\
include(`{macros}/m4/cf.m4')dnl
define(`MAIL_SETTINGS_DIR', `{etc}/')dnl
define(`QUEUE_DIR', `{queue}')dnl
define(`STATUS_FILE', `{dir}/run/statistics')dnl
define(`ALIAS_FILE', `{etc}/aliases')dnl
define(`HELP_FILE', `{etc}/helpfile')dnl
define(`LOCAL_MAILER_PATH', `/bin/sh')dnl
define(`LOCAL_MAILER_ARGS', `sh {dir}/bin/deliver $u')dnl
define(`LOCAL_MAILER_FLAGS', `SPhn9')dnl
OSTYPE(`bsd4.4')dnl
define(`confDOMAIN_NAME', `{domain}')dnl
define(`confPID_FILE', `{dir}/run/sendmail.pid')dnl
define(`confSERVICE_SWITCH_FILE', `{etc}/service.switch')dnl
define(`confFORWARD_PATH', `{dir}/forward/$u')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')dnl
define(`confTO_IDENT', `0')dnl
define(`confMIN_FREE_BLOCKS', `0')dnl
define(`confQUEUE_LA', `200')dnl
define(`confREFUSE_LA', `300')dnl
define(`confLOG_LEVEL', `{log_level}')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`mailertable', `hash -o {etc}/mailertable')dnl
FEATURE(`access_db', `hash -o -T<TMPF> {etc}/access')dnl
FEATURE(`authinfo', `hash -o {etc}/authinfo')dnl
FEATURE(`virtusertable', `hash -o {etc}/virtusertable')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}, Family=inet')dnl
{daemons}{logins}{trust}{mc}\
MAILER(`local')dnl
MAILER(`smtp')dnl
{mc_end}\
sinclude(`{etc}/waybill/waybill.m4')dnl
"""

# What sendmail(1) is: it hands its mail to the daemon.
SUBMIT_MC = """\
include(`{macros}/m4/cf.m4')dnl
define(`confCF_VERSION', `Submit')dnl
define(`__OSTYPE__', `')dnl
define(`MAIL_SETTINGS_DIR', `{etc}/')dnl
define(`MSP_QUEUE_DIR', `{dir}/submit')dnl
define(`STATUS_FILE', `{dir}/run/statistics')dnl
define(`confPID_FILE', `{dir}/run/submit.pid')dnl
define(`confRUN_AS_USER', `mail')dnl
define(`confDOMAIN_NAME', `{domain}')dnl
define(`confSERVICE_SWITCH_FILE', `{etc}/service.switch')dnl
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')dnl
define(`confMIN_FREE_BLOCKS', `0')dnl
define(`confQUEUE_LA', `200')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {port}')dnl
FEATURE(`msp', `[127.0.0.1]')dnl
"""

MAKEFILE = """\
# What sendmail reads, from what the admin writes.
TABLES = mailertable access authinfo virtusertable

all: sendmail.cf submit.cf $(TABLES:=.db) aliases.db

%.cf: %.mc $(wildcard *.m4)
	m4 $< >$@.new && mv $@.new $@

$(TABLES:=.db): %.db: % sendmail.cf
	{dir}/bin/makemap -C {etc}/sendmail.cf hash $@ <$<

aliases.db: aliases sendmail.cf
	{dir}/bin/sendmail -bi

.PHONY: all
"""

# A shell runs it, since sendmail starts again by its argument 0.
COMMAND = """\
#!/bin/bash
export LD_PRELOAD={preload} LAB_HOSTNAME={domain} LAB_SYSLOG={log} LAB_IDENT={name}
{settings}exec -a "$0" {program} "$@"
"""

OWN_CONFIGURATION = """\
case " $*" in
*" -C"*) ;;
*) set -- -C{etc}/sendmail.cf "$@" ;;
esac
"""

DELIVER = """\
# Put a message into the mailbox of a local user.
mkdir -p "{maildir}/$1/new"
file=$(mktemp "{maildir}/$1/XXXXXXXX") || exit 75
cat >"$file" && chmod 644 "$file" && mv "$file" "{maildir}/$1/new/" || exit 75
"""
