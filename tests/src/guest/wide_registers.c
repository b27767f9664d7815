/* Preloaded into User Mode Linux. On processors with AMX the kernel takes the registers of a traced process only as a
 * whole, and they are larger than the room that User Mode Linux of Debian 12 has for them: every guest would die at its
 * first system call. Here the part that it has is laid over all that there is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#ifndef NT_X86_XSTATE
#define NT_X86_XSTATE 0x202
#endif

typedef long (*ptrace_call)(int, ...);

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_call real;
	static _Alignas(64) char whole[1 << 16];
	va_list arguments;
	va_start(arguments, request);
	int pid = va_arg(arguments, int);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);
	if (!real)
		real = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");
	long result = real(request, pid, address, data);
	if (result >= 0 || request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE)
		return result;
	struct iovec *part = data, all = { whole, sizeof whole };
	if (real(PTRACE_GETREGSET, pid, address, &all) < 0 || part->iov_len > all.iov_len)
		return result;
	memcpy(whole, part->iov_base, part->iov_len);
	return real(PTRACE_SETREGSET, pid, address, &all);
}
