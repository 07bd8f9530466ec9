// The status page on the HTTP port: / and the files that it loads.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "server/web/http_routes.h"

namespace kwta::server {

// Adds / and /page/NAME. `may_see` returns OK if the sender of this Authorization header may see the page's data, which
// are not in these files; empty: everybody may. A browser cannot send a token when somebody types an address, so / then
// answers 401 with the same page, which says what to do and takes the token.
void AddStatusPage(std::function<absl::Status(const std::string& authorization)> may_see, HttpRoutes* routes);

}  // namespace kwta::server
