/* What people outside say to a job: it sets one of its events. */
#include "daemon/engine/job_event.h"

static struct value member(struct value signal, const char *name)
{
	return value_dict_get(signal, name, strlen(name));
}

static void keep_key(struct engine *e, struct events *all, struct value key,
                     const struct job_event *ev)
{
	struct value what = value_list_new(&e->heap, 2);

	what = value_list_append(&e->heap, what, value_retain(ev->name));
	what = value_list_append(&e->heap, what, value_retain(ev->value));
	if (value_is_none(all->by_key))
		all->by_key = value_dict_new(&e->heap, 0);
	all->by_key = value_dict_put(&e->heap, all->by_key, value_copy(&e->heap, key), what);
}

void signal_take(struct engine *e, struct job *j, struct value signal)
{
	struct events    *all = job_events_of(e, j);
	struct job_event *ev =
		all == NULL ? NULL : job_event_named(e, all, member(signal, "event"));
	size_t       before = e->heap.bytes;
	struct value v = value_copy(&e->heap, member(signal, "value"));

	if (ev == NULL || e->heap.failed) {
		value_release(&e->heap, v);
		return;
	}
	all->signals++;
	all->bytes += e->heap.bytes - before;
	value_release(&e->heap, ev->value);
	ev->value = v;
	if (!value_is_none(member(signal, "key")))
		keep_key(e, all, member(signal, "key"), ev);
	job_event_wake_all(j, ev);
}

/* --- before it is fed --- */

/* What was said under this key before; VALUE_NONE: nothing. */
static struct value said_before(const struct events *all, struct value signal)
{
	struct value key = member(signal, "key");

	if (value_is_none(key) || value_is_none(all->by_key))
		return VALUE_NONE;
	return value_dict_get(all->by_key, value_text(key)->at, value_text(key)->bytes);
}

static struct engine_signal_check over(const char *limit, uint64_t value, uint64_t max)
{
	return (struct engine_signal_check){ GD_LIMIT, false, limit, value, max };
}

static struct engine_signal_check check_events(const struct events *all, struct value signal,
                                               size_t bytes)
{
	struct value before = said_before(all, signal);
	uint32_t     names = value_dict(all->by_name)->count;

	if (!value_is_none(before)) {
		struct vlist *what = value_list(before);
		bool          is_it = value_is_same(what->at[0], member(signal, "event")) &&
		             value_is_same(what->at[1], member(signal, "value"));

		return (struct engine_signal_check){ .code = is_it ? GD_OK : GD_CONFLICT,
			                             .is_known = true };
	}
	if (all->signals >= JOB_SIGNALS_MAX)
		return over("signals", all->signals + 1, JOB_SIGNALS_MAX);
	if (all->bytes + bytes > JOB_SIGNAL_BYTES_MAX)
		return over("signal_bytes", all->bytes + bytes, JOB_SIGNAL_BYTES_MAX);
	if (names >= JOB_EVENTS_MAX && job_event_find(all, member(signal, "event")) == NULL)
		return over("events", names + 1, JOB_EVENTS_MAX);
	return (struct engine_signal_check){ .code = GD_OK };
}

struct engine_signal_check engine_check_signal(const struct engine *e, uint64_t job,
                                               struct value signal, size_t bytes)
{
	const struct job          *j = job_find(e, job);
	struct engine_signal_check check = { .code = GD_OK };

	if (j == NULL)
		return (struct engine_signal_check){ .code = GD_NOT_FOUND };
	if (j->events != NULL)
		check = check_events(j->events, signal, bytes);
	if (check.code == GD_OK && !check.is_known &&
	    j->value_bytes + (int64_t)bytes > (int64_t)JOB_VALUE_BYTES_MAX)
		return over("value_bytes", (uint64_t)j->value_bytes + bytes, JOB_VALUE_BYTES_MAX);
	return check;
}
