package admin

import (
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// clientIP returns the address of the client: the one in X-Real-IP if a trusted
// proxy sends one, otherwise that of the peer.
func clientIP(c *fiber.Ctx) string {
	peer := c.Context().RemoteIP().String()
	if !c.IsProxyTrusted() {
		return peer
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(c.Get("X-Real-IP")))
	if err != nil {
		return peer
	}
	return addr.WithZone("").Unmap().String()
}

// overTLS reports whether the client sent the request over https. Only a trusted
// proxy is believed in this.
func (s *Server) overTLS(c *fiber.Ctx) bool {
	if s.Secure || c.Secure() {
		return true
	}
	if strings.EqualFold(c.Get(fiber.HeaderXForwardedProto), "https") {
		s.warnOfTLS.Do(func() {
			s.Log.Warn("a proxy seems to serve the console over https, but cookies are not marked for https only: start " +
				"the program with --secure, or name the proxy with --trusted-proxies")
		})
	}
	return false
}
