// SPDX-License-Identifier: GPL-2.0-only
/*
 * The display: a CRTC of vkms with its primary plane and its writeback
 * connector, driven by atomic commits with explicit fences.
 *
 * The ordinary connector only says which modes there are. Since vkms does not
 * claim that it can feed two connectors at a time, 6.12.y refuses both on one
 * CRTC, and the frame goes to the one that can be read back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_mode.h>

#include "demo.h"

#define MAX_OBJECTS	16
#define MAX_PROPERTIES	64
#define MAX_MODES	128
#define MAX_SETTINGS	24

/* As linux/drm_mode.h does not name it. */
#define CONNECTOR_WRITEBACK	18

struct display {
	int drm;
	bool lit;
	__u32 crtc;
	__u32 plane;
	__u32 writeback;
	__u32 mode_blob;
};

/* ---- an atomic request: (object, property, value), grouped by object */

struct request {
	__u32 objects[MAX_OBJECTS];
	__u32 counts[MAX_OBJECTS];
	__u32 properties[MAX_SETTINGS];
	__u64 values[MAX_SETTINGS];
	__u32 object_count;
	__u32 setting_count;
};

/* An object's property of that name: its id, or 0; and its value. */
static __u32 property_find(int drm, __u32 object, __u32 type,
			   const char *name, __u64 *value)
{
	__u32 ids[MAX_PROPERTIES];
	__u64 values[MAX_PROPERTIES];
	struct drm_mode_obj_get_properties list = {
		.props_ptr = (uintptr_t)ids,
		.prop_values_ptr = (uintptr_t)values,
		.count_props = MAX_PROPERTIES,
		.obj_id = object,
		.obj_type = type,
	};
	__u32 i;

	if (ioctl(drm, DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &list))
		return 0;
	for (i = 0; i < list.count_props && i < MAX_PROPERTIES; i++) {
		struct drm_mode_get_property property = { .prop_id = ids[i] };

		if (ioctl(drm, DRM_IOCTL_MODE_GETPROPERTY, &property) ||
		    strcmp(property.name, name))
			continue;
		if (value)
			*value = values[i];
		return ids[i];
	}
	return 0;
}

static void request_object(struct request *request, __u32 object)
{
	request->objects[request->object_count++] = object;
}

/* For the object named last. A property that is not there is refused later. */
static int request_set(struct display *display, struct request *request,
		       __u32 type, const char *name, __u64 value)
{
	__u32 index = request->object_count - 1;
	__u32 id = property_find(display->drm, request->objects[index], type,
				    name, NULL);

	if (!id)
		return fail("vkms has no property %s", name);
	request->properties[request->setting_count] = id;
	request->values[request->setting_count++] = value;
	request->counts[index]++;
	return 0;
}

/* ---- finding the parts */

static int display_find_plane(struct display *display)
{
	__u32 ids[MAX_OBJECTS];
	struct drm_mode_get_plane_res list = {
		.plane_id_ptr = (uintptr_t)ids,
		.count_planes = MAX_OBJECTS,
	};
	__u32 i;

	if (ioctl(display->drm, DRM_IOCTL_MODE_GETPLANERESOURCES, &list))
		return fail_errno("DRM_IOCTL_MODE_GETPLANERESOURCES");
	for (i = 0; i < list.count_planes && i < MAX_OBJECTS; i++) {
		__u64 type = 0;

		/* 1 is "Primary" in every driver. */
		if (property_find(display->drm, ids[i], DRM_MODE_OBJECT_PLANE,
				  "type", &type) && type == 1) {
			display->plane = ids[i];
			return 0;
		}
	}
	return fail("vkms has no primary plane");
}

static int display_find_mode(struct display *display,
			     struct drm_mode_get_connector *connector,
			     struct drm_mode_modeinfo *modes)
{
	struct drm_mode_create_blob blob = {
		.length = sizeof(*modes),
	};
	__u32 i;

	for (i = 0; i < connector->count_modes && i < MAX_MODES; i++)
		if (modes[i].hdisplay == FRAME_WIDTH &&
		    modes[i].vdisplay == FRAME_HEIGHT)
			break;
	if (i == connector->count_modes || i == MAX_MODES)
		return fail("vkms has no mode of %dx%d", FRAME_WIDTH,
			    FRAME_HEIGHT);

	blob.data = (uintptr_t)&modes[i];
	if (ioctl(display->drm, DRM_IOCTL_MODE_CREATEPROPBLOB, &blob))
		return fail_errno("DRM_IOCTL_MODE_CREATEPROPBLOB");
	display->mode_blob = blob.blob_id;
	return 0;
}

static int display_add_connector(struct display *display, __u32 id)
{
	struct drm_mode_modeinfo modes[MAX_MODES];
	struct drm_mode_get_connector connector = { .connector_id = id };

	/* The first call has the modes probed; only the second gets them. */
	if (ioctl(display->drm, DRM_IOCTL_MODE_GETCONNECTOR, &connector))
		return fail_errno("DRM_IOCTL_MODE_GETCONNECTOR");
	if (connector.connector_type == CONNECTOR_WRITEBACK) {
		display->writeback = id;
		return 0;
	}

	memset(&connector, 0, sizeof(connector));
	connector.connector_id = id;
	connector.modes_ptr = (uintptr_t)modes;
	connector.count_modes = MAX_MODES;
	if (ioctl(display->drm, DRM_IOCTL_MODE_GETCONNECTOR, &connector))
		return fail_errno("DRM_IOCTL_MODE_GETCONNECTOR");
	return display_find_mode(display, &connector, modes);
}

static int display_find_parts(struct display *display)
{
	__u32 crtcs[MAX_OBJECTS], connectors[MAX_OBJECTS];
	struct drm_mode_card_res res = {
		.crtc_id_ptr = (uintptr_t)crtcs,
		.connector_id_ptr = (uintptr_t)connectors,
		.count_crtcs = MAX_OBJECTS,
		.count_connectors = MAX_OBJECTS,
	};
	__u32 i;

	if (ioctl(display->drm, DRM_IOCTL_MODE_GETRESOURCES, &res))
		return fail_errno("DRM_IOCTL_MODE_GETRESOURCES");
	if (!res.count_crtcs)
		return fail("vkms has no CRTC");
	display->crtc = crtcs[0];

	for (i = 0; i < res.count_connectors && i < MAX_OBJECTS; i++)
		if (display_add_connector(display, connectors[i]))
			return -1;
	if (!display->mode_blob)
		return fail("vkms has no connector with modes");
	if (!display->writeback)
		return fail("vkms has no writeback connector: is vkms.enable_writeback=1?");
	return display_find_plane(display);
}

static int display_client_cap(struct display *display, __u64 capability)
{
	struct drm_set_client_cap cap = {
		.capability = capability,
		.value = 1,
	};

	if (ioctl(display->drm, DRM_IOCTL_SET_CLIENT_CAP, &cap))
		return fail_errno("DRM_IOCTL_SET_CLIENT_CAP");
	return 0;
}

struct display *display_open(void)
{
	struct display *display = calloc(1, sizeof(*display));

	if (!display) {
		fail("out of memory");
		return NULL;
	}
	display->drm = drm_open("vkms");
	if (display->drm < 0) {
		free(display);
		return NULL;
	}
	if (display_client_cap(display, DRM_CLIENT_CAP_UNIVERSAL_PLANES) ||
	    display_client_cap(display, DRM_CLIENT_CAP_ATOMIC) ||
	    display_client_cap(display, DRM_CLIENT_CAP_WRITEBACK_CONNECTORS) ||
	    display_find_parts(display)) {
		display_close(display);
		return NULL;
	}
	return display;
}

/* Framebuffers, handles and blobs go with the descriptor. */
void display_close(struct display *display)
{
	if (!display)
		return;
	close(display->drm);
	free(display);
}

/* ---- showing */

int display_import(struct display *display, struct buffer *buffer,
		   __u32 *fb)
{
	struct drm_mode_fb_cmd2 cmd = {
		.width = FRAME_WIDTH,
		.height = FRAME_HEIGHT,
		.pixel_format = DRM_FORMAT_XRGB8888,
		.pitches = { FRAME_PITCH },
	};
	int ret = 0;

	if (drm_import(display->drm, buffer->fd, &cmd.handles[0]))
		return -1;
	if (ioctl(display->drm, DRM_IOCTL_MODE_ADDFB2, &cmd))
		ret = fail_errno("DRM_IOCTL_MODE_ADDFB2");
	/* The framebuffer keeps the buffer. */
	drm_release(display->drm, cmd.handles[0]);
	*fb = cmd.fb_id;
	return ret;
}

static int display_request_plane(struct display *display,
				 struct request *request, __u32 fb,
				 int in_fence)
{
	const struct {
		const char *name;
		__u64 value;
	} settings[] = {
		{ "FB_ID", fb },
		{ "CRTC_ID", display->crtc },
		{ "SRC_X", 0 },
		{ "SRC_Y", 0 },
		{ "SRC_W", (__u64)FRAME_WIDTH << 16 },
		{ "SRC_H", (__u64)FRAME_HEIGHT << 16 },
		{ "CRTC_X", 0 },
		{ "CRTC_Y", 0 },
		{ "CRTC_W", FRAME_WIDTH },
		{ "CRTC_H", FRAME_HEIGHT },
		{ "IN_FENCE_FD", (__u64)(__s64)in_fence },
	};
	size_t i;

	request_object(request, display->plane);
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (request_set(display, request, DRM_MODE_OBJECT_PLANE,
				settings[i].name, settings[i].value))
			return -1;
	return 0;
}

/* Only the first commit sets a mode. */
static int display_request_mode(struct display *display,
				struct request *request, __s32 *out_fence)
{
	request_object(request, display->crtc);
	if (request_set(display, request, DRM_MODE_OBJECT_CRTC,
			"OUT_FENCE_PTR", (uintptr_t)out_fence))
		return -1;
	if (display->lit)
		return 0;
	if (request_set(display, request, DRM_MODE_OBJECT_CRTC, "MODE_ID",
			display->mode_blob) ||
	    request_set(display, request, DRM_MODE_OBJECT_CRTC, "ACTIVE", 1))
		return -1;
	return 0;
}

static int display_request_writeback(struct display *display,
				     struct request *request, __u32 fb,
				     __s32 *fence)
{
	request_object(request, display->writeback);
	if (request_set(display, request, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID",
			display->crtc) ||
	    request_set(display, request, DRM_MODE_OBJECT_CONNECTOR,
			"WRITEBACK_FB_ID", fb) ||
	    request_set(display, request, DRM_MODE_OBJECT_CONNECTOR,
			"WRITEBACK_OUT_FENCE_PTR", (uintptr_t)fence))
		return -1;
	return 0;
}

/*
 * Show @fb once @in_fence has signalled, and write what is shown to @writeback.
 * Returns at once; both fences are the caller's.
 */
int display_commit(struct display *display, __u32 fb, __u32 writeback,
		   int in_fence, int *out_fence, int *writeback_fence)
{
	struct request request = { .object_count = 0 };
	__s32 flip = -1, written = -1;
	struct drm_mode_atomic atomic = {
		.flags = DRM_MODE_ATOMIC_NONBLOCK,
		.objs_ptr = (uintptr_t)request.objects,
		.count_props_ptr = (uintptr_t)request.counts,
		.props_ptr = (uintptr_t)request.properties,
		.prop_values_ptr = (uintptr_t)request.values,
	};

	if (!display->lit)
		atomic.flags |= DRM_MODE_ATOMIC_ALLOW_MODESET;
	if (display_request_plane(display, &request, fb, in_fence) ||
	    display_request_mode(display, &request, &flip) ||
	    display_request_writeback(display, &request, writeback, &written))
		return -1;
	atomic.count_objs = request.object_count;

	if (ioctl(display->drm, DRM_IOCTL_MODE_ATOMIC, &atomic))
		return fail_errno("DRM_IOCTL_MODE_ATOMIC");
	display->lit = true;
	*out_fence = flip;
	*writeback_fence = written;
	return flip < 0 || written < 0 ?
	       fail("vkms gives no fences for its commit") : 0;
}
