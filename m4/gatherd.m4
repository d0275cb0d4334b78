# gatherd.m4 - the few macros that configure.ac uses more than once. The autoconf archive has
# longer ones for the same purpose; these keep the build free of that dependency.

# GD_NEED(VARIABLE, MODULES, DEBIAN-PACKAGE): a library that must be there, with words if it is not.
AC_DEFUN([GD_NEED], [
	PKG_CHECK_MODULES([$1], [$2], [],
		[AC_MSG_ERROR([missing: $2; on Debian: apt-get install $3
$$1_PKG_ERRORS])])
])

# GD_TRY_LINK(CFLAGS, LDFLAGS, IF-YES, IF-NO): does a program still compile and link, without one
# warning, with these behind the flags found so far and in front of the user's? (Some need another,
# and an unknown flag is only a warning for clang, hence -Werror.)
AC_DEFUN([GD_TRY_LINK], [
	gd_saved_CFLAGS=$CFLAGS
	gd_saved_LDFLAGS=$LDFLAGS
	CFLAGS="$GD_CFLAGS $1 -Werror $CFLAGS"
	LDFLAGS="$GD_LDFLAGS $2 $LDFLAGS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[puts("");]])],
		[gd_links=yes], [gd_links=no])
	CFLAGS=$gd_saved_CFLAGS
	LDFLAGS=$gd_saved_LDFLAGS
	AS_IF([test "x$gd_links" = xyes], [$3], [$4])
])

# GD_CC_FLAGS(FLAGS): appends them to GD_CFLAGS if the compiler takes them all.
AC_DEFUN([GD_CC_FLAGS], [
	AC_MSG_CHECKING([whether $CC takes $1])
	GD_TRY_LINK([$1], [], [GD_CFLAGS="$GD_CFLAGS $1"])
	AC_MSG_RESULT([$gd_links])
])

# GD_LD_FLAGS(FLAGS): the same for the linker and GD_LDFLAGS.
AC_DEFUN([GD_LD_FLAGS], [
	AC_MSG_CHECKING([whether the linker takes $1])
	GD_TRY_LINK([], [$1], [GD_LDFLAGS="$GD_LDFLAGS $1"])
	AC_MSG_RESULT([$gd_links])
])

# GD_PIE: the two halves of position independence, both or neither.
AC_DEFUN([GD_PIE], [
	AC_MSG_CHECKING([whether $CC makes position independent programs])
	GD_TRY_LINK([-fPIE], [-pie], [
		GD_CFLAGS="$GD_CFLAGS -fPIE"
		GD_LDFLAGS="$GD_LDFLAGS -pie"
	])
	AC_MSG_RESULT([$gd_links])
])
