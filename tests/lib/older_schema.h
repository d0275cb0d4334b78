/*
 * older_schema.h - what a new database has to lose to be one of an older schema.
 *
 * Statements to go before or behind others in one text.
 */
#ifndef GATHERD_TESTS_OLDER_SCHEMA_H
#define GATHERD_TESTS_OLDER_SCHEMA_H

/* Back to the wall as the only clock, and to the counts in `state` alone. */
#define OLDER_STATE_ONLY                                  \
	"DROP TABLE clock; DROP TABLE clock_steps;"       \
	"ALTER TABLE state DROP COLUMN listed;"           \
	"ALTER TABLE event_chunks DROP COLUMN next_job;"  \
	"ALTER TABLE event_chunks DROP COLUMN queued;"    \
	"ALTER TABLE event_chunks DROP COLUMN running;"   \
	"ALTER TABLE event_chunks DROP COLUMN completed;" \
	"ALTER TABLE event_chunks DROP COLUMN failed;"    \
	"ALTER TABLE event_chunks DROP COLUMN cancelled;" \
	"ALTER TABLE event_chunks DROP COLUMN commits;"

#endif
