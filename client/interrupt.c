#include "client/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t count;

static void on_interrupt(int signal_number)
{
	(void)signal_number;
	count++;
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	sigset_t         only;

	sigemptyset(&action.sa_mask);
	sigemptyset(&only);
	sigaddset(&only, SIGINT);
	sigprocmask(SIG_BLOCK, &only, NULL);
	sigaction(SIGINT, &action, NULL);
}

int interrupt_count(void)
{
	static const struct timespec now = { 0 };
	sigset_t                     only;

	sigemptyset(&only);
	sigaddset(&only, SIGINT);
	if (sigtimedwait(&only, NULL, &now) == SIGINT)
		count++;
	return (int)count;
}
