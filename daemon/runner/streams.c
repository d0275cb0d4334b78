/*
 * streams.c - the pipes of a command: what it reads, what it writes. Part of command.h.
 */
#include "daemon/runner/command.h"
#include "daemon/runner/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES CAPTURE_SEGMENT_BYTES_MAX
#define READS_PER_TURN 4    /* then others have their turn */
#define READS_AT_THE_END 64 /* of a pipe that somebody else still fills */

/* --- output --- */

static enum run_stream stream_of(const struct command *c, const struct reactor_fd *f)
{
	return f == &c->output[RUN_STDOUT] ? RUN_STDOUT : RUN_STDERR;
}

static bool is_held_up(const struct command *c, enum run_stream i)
{
	return c->pace > 0 && c->capture[i].bytes - c->taken[i] >= c->pace;
}

void streams_tell(struct command *c)
{
	if (c->tells_output && c->telling.next == NULL)
		ring_join(&c->runner->telling, &c->telling, c);
}

/* One read. False: nothing there now, or the end (the pipe is closed then). */
static bool read_some(struct command *c, enum run_stream i)
{
	static char        room[READ_BYTES];
	struct reactor_fd *f = &c->output[i];
	ssize_t            got = read(f->fd, room, sizeof room);

	if (got > 0) {
		capture_add(&c->capture[i], room, (size_t)got, c->order);
		c->order += (uint64_t)got;
		streams_tell(c);
		return true;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		reactor_drop(&c->runner->reactor, f);
	return false;
}

bool streams_are_over(const struct command *c)
{
	return c->output[RUN_STDOUT].fd < 0 && c->output[RUN_STDERR].fd < 0;
}

static void on_output(struct reactor_fd *f, uint32_t events)
{
	struct command *c = f->ctx;
	enum run_stream i = stream_of(c, f);

	(void)events;
	for (int n = 0; n < READS_PER_TURN && !is_held_up(c, i) && read_some(c, i); n++)
		;
	if (f->fd >= 0 && is_held_up(c, i))
		reactor_want(&c->runner->reactor, f, 0);
	if (c->step == COMMAND_DRAINING && streams_are_over(c))
		command_drained(c);
}

void streams_resume(struct command *c)
{
	for (int i = 0; i < RUN_STREAMS; i++) {
		if (c->output[i].fd >= 0 && !is_held_up(c, (enum run_stream)i))
			reactor_want(&c->runner->reactor, &c->output[i], EPOLLIN);
	}
}

void streams_read_rest(struct command *c)
{
	for (int i = 0; i < RUN_STREAMS; i++) {
		for (int n = 0; n < READS_AT_THE_END && c->output[i].fd >= 0; n++) {
			if (!read_some(c, (enum run_stream)i))
				break;
		}
	}
}

/* --- input --- */

static void close_input(struct command *c)
{
	reactor_drop(&c->runner->reactor, &c->input);
	free(c->text);
	c->text = NULL;
}

/* Whoever does not read its stdin ends it: EPIPE is no failure, the exit status says what matters. */
static void on_input(struct reactor_fd *f, uint32_t events)
{
	struct command *c = f->ctx;
	ssize_t         done;

	(void)events;
	while (c->text_done < c->text_bytes) {
		done = write(f->fd, c->text + c->text_done, c->text_bytes - c->text_done);
		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (done < 0)
			break;
		c->text_done += (size_t)done;
	}
	close_input(c);
}

/* --- both --- */

int streams_watch(struct command *c, int input_fd, const int output_fd[RUN_STREAMS])
{
	struct reactor *reactor = &c->runner->reactor;
	int             failed = 0;

	c->input = (struct reactor_fd){ .fd = input_fd, .ready = on_input, .ctx = c };
	if (input_fd >= 0)
		failed = reactor_add(reactor, &c->input, EPOLLOUT);
	for (int i = 0; i < RUN_STREAMS; i++) {
		c->output[i] =
			(struct reactor_fd){ .fd = output_fd[i], .ready = on_output, .ctx = c };
		if (output_fd[i] >= 0 && failed == 0)
			failed = reactor_add(reactor, &c->output[i], EPOLLIN);
	}
	if (failed != 0)
		streams_close(c);
	return failed;
}

void streams_close(struct command *c)
{
	close_input(c);
	for (int i = 0; i < RUN_STREAMS; i++)
		reactor_drop(&c->runner->reactor, &c->output[i]);
}
