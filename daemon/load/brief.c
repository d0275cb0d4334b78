#include "daemon/load/brief.h"

#include "proto/base/check.h"

static const struct op_brief OPS[ID_COUNT] = {
	[ID_AS_COMPLETED] = { "as_completed",
	                      "asyncio.as_completed: \"do\" runs for each branch, in the order in "
	                      "which they end." },
	[ID_ASYNC_FOR] = { "async_for",
	                   "async for x in g: \"do\" runs for each item of a generator." },
	[ID_AWAIT] = { "await", "await t: the result of a task, or those of a list of tasks." },
	[ID_CALL] = { "call", "await f(...): runs a function from the header's \"def\"." },
	[ID_CANCEL] = { "cancel", "t.cancel(): asks a task, or a list of them, to end." },
	[ID_CREATE_TASK] = { "create_task",
	                     "asyncio.create_task: starts a node, gives its handle at once." },
	[ID_DO] = { "do", "A block; with \"for\" and \"in\", or with \"while\", a loop." },
	[ID_EVENT] = { "event", "await event.wait(): waits until the event is sent to the job." },
	[ID_EXEC] = { "exec", "asyncio.create_subprocess_exec: runs a program to its end." },
	[ID_GATHER] = { "gather",
	                "asyncio.gather: runs branches side by side, gives all results." },
	[ID_HTTP] = { "http", "An HTTP request: a URL to get, or its parts." },
	[ID_MATCH] = { "match", "match v: runs the \"case\" that the value fits." },
	[ID_RACE] = { "race", "The branch that ends first wins, the others are cancelled." },
	[ID_RAISE] = { "raise",
	               "raise: a type, or {type, message, data}; null raises again in \"except\"." },
	[ID_RETURN] = { "return", "return v: ends the def, or the job, with this value." },
	[ID_SET] = { "set", "Assignment: {name: value, ...}, all values first." },
	[ID_SHIELD] = { "shield", "asyncio.shield: a cancel does not reach this node." },
	[ID_SLEEP] = { "sleep", "asyncio.sleep: seconds, or text such as \"250ms\" or \"1h30m\"." },
	[ID_SLEEP_UNTIL] = { "sleep_until",
	                     "Sleeps until a moment: RFC 3339 text, or seconds since the epoch." },
	[ID_TASK_GROUP] = { "task_group",
	                    "asyncio.TaskGroup: the first branch to fail cancels the others." },
	[ID_TO_THREAD] = { "to_thread", "asyncio.to_thread: a built-in function that blocks." },
	[ID_TRY] = { "try", "try: a node whose errors \"except\" takes; \"finally\" always runs." },
	[ID_VALUE] = { "value", "Gives this data, with its ${...} worked out." },
	[ID_WAIT] = { "wait", "asyncio.wait: {done, pending} of a list of tasks." },
	[ID_YIELD] = { "yield", "yield v: an item of the job's stream, or of the def's." },
};

static const char *const KEYS[KEY_COUNT] = {
	[KEY_AFTER] = "Names of sibling branches that must be done before this one begins.",
	[KEY_ARGS] = "Arguments: an array in their order, or an object by name.",
	[KEY_AS] = "Binds the value of this node to a name.",
	[KEY_CASE] = "{literal: node, ...}; \"_\" takes the rest.",
	[KEY_CHECK] = "false: a failure is a result, and raises nothing.",
	[KEY_CWD] = "The directory in which the program runs.",
	[KEY_DO] = "A node that runs for each item.",
	[KEY_ELSE] = "The node that runs when \"if\" is not true.",
	[KEY_ENV] = "Variables of the program's environment.",
	[KEY_EXCEPT] = "{type of exception: node, ...}; \"*\" takes all but a cancel.",
	[KEY_FINALLY] = "A node that runs in any case.",
	[KEY_FOR] = "The variable that takes each item of \"in\".",
	[KEY_GRACE] = "How long the program has to end before it is killed.",
	[KEY_IF] = "Runs the node only if this is true.",
	[KEY_IN] = "What \"for\" goes over: a list, an object (its keys), or a range.",
	[KEY_LIMIT] = "At most so many of the branches run at a time.",
	[KEY_LOOP] = "Name or number of an event loop: the task is a job of its own there.",
	[KEY_MESSAGE] = "The message of the CancelledError.",
	[KEY_NAME] = "A label for the task, in events and errors.",
	[KEY_ON_INTERRUPT] = "What to do when nobody knows how it ended.",
	[KEY_POOL] = "The pool whose limit it counts against.",
	[KEY_PROFILE] =
		"The exec profile of the daemon that says what runs; \"exec\" has its arguments.",
	[KEY_RESULT] = "What the sleep gives.",
	[KEY_RETRY] = "Runs the operation again when it fails: attempts in all, or options.",
	[KEY_RETURN_EXCEPTIONS] = "true: an exception is a result like any other.",
	[KEY_RETURN_WHEN] = "When to stop waiting.",
	[KEY_STDERR] = "Where the program's errors go.",
	[KEY_STDIN] = "Text that the program reads.",
	[KEY_STDOUT] = "Where the program's output goes.",
	[KEY_TIMEOUT] = "asyncio.timeout: TimeoutError after this time; null: never.",
	[KEY_UNDO] = "A node that takes this step back if what comes after it fails.",
	[KEY_UNTIL] = "\"success\": a branch that fails does not win.",
	[KEY_WHILE] = "Runs the block again as long as this is true.",
	[KEY_WITH] = "Waits for a permit of the daemon's semaphore of this name.",
	[KEY_YIELD] = "\"lines\": gives the output line by line.",
};

static const char *const ERROR_PARTS[ERROR_MEMBERS] = {
	[ERROR_DATA] = "Anything more about it.",
	[ERROR_MESSAGE] = "What happened, for humans.",
	[ERROR_PATH] = "Allowed, so that an error can be raised as it is; not used.",
	[ERROR_TYPE] = "What \"except\" goes by.",
};

static const char *const REQUEST_PARTS[REQUEST_MEMBERS] = {
	[REQUEST_BODY] = "Text to send.",
	[REQUEST_HEADERS] = "Header fields.",
	[REQUEST_JSON] = "Data to send as JSON.",
	[REQUEST_METHOD] = "The method; GET without it.",
	[REQUEST_QUERY] = "What is put behind the ? of the URL.",
	[REQUEST_TIMEOUT] = "For the whole request.",
	[REQUEST_URL] = "http:// or https://.",
};

static const char *const RETRY_PARTS[RETRY_MEMBERS] = {
	[RETRY_ATTEMPTS] = "How many runs in all, the first one included.",
	[RETRY_BACKOFF] = "Each pause is so many times the one before; 1 without it.",
	[RETRY_DELAY] = "The first pause; none without it.",
	[RETRY_JITTER] = "true: a random part of each pause.",
	[RETRY_MAX_DELAY] = "No pause is longer.",
	[RETRY_ON] = "Types of exceptions; all but CancelledError without it.",
	[RETRY_TIMEOUT] = "For each attempt.",
};

const struct op_brief *brief_of_op(enum op_id id)
{
	return &OPS[id];
}

const char *brief_of_key(enum key_id id)
{
	return KEYS[id];
}

const char *brief_of_member(enum slot_kind kind, uint32_t member)
{
	if (kind == SLOT_ERROR)
		return ERROR_PARTS[member];
	if (kind == SLOT_REQUEST)
		return REQUEST_PARTS[member];
	CHECK(kind == SLOT_RETRY);
	return RETRY_PARTS[member];
}
