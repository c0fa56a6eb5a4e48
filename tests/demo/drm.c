// SPDX-License-Identifier: GPL-2.0-only
/*
 * DRM devices by the name of their driver, and buffers in and out of them
 * (PRIME).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/drm.h>

#include "demo.h"

#define MAX_CARDS	16

static bool drm_driver_is(int drm, const char *driver)
{
	char name[32] = "";
	struct drm_version version = {
		.name = name,
		.name_len = sizeof(name) - 1,
	};

	return !ioctl(drm, DRM_IOCTL_VERSION, &version) &&
	       !strcmp(name, driver);
}

int drm_open(const char *driver)
{
	char path[32];
	int drm, i;

	for (i = 0; i < MAX_CARDS; i++) {
		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		drm = open(path, O_RDWR | O_CLOEXEC);
		if (drm < 0)
			continue;
		if (drm_driver_is(drm, driver))
			return drm;
		close(drm);
	}
	return fail("%s: no such DRM device", driver);
}

int drm_import(int drm, int fd, __u32 *handle)
{
	struct drm_prime_handle prime = { .fd = fd };

	if (ioctl(drm, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		return fail_errno("DRM_IOCTL_PRIME_FD_TO_HANDLE");
	*handle = prime.handle;
	return 0;
}

int drm_export(int drm, __u32 handle)
{
	struct drm_prime_handle prime = {
		.handle = handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
	};

	if (ioctl(drm, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		return fail_errno("DRM_IOCTL_PRIME_HANDLE_TO_FD");
	return prime.fd;
}

void drm_release(int drm, __u32 handle)
{
	struct drm_gem_close gem_close = { .handle = handle };

	ioctl(drm, DRM_IOCTL_GEM_CLOSE, &gem_close);
}
